import { isDeepStrictEqual } from 'node:util'
import { monotonicMs, sleep } from '../base/clock.ts'
import type { Holdfast } from '../holdfast.ts'
import { BrokenPromise, type Figure, shown } from './outcome.ts'

/** Where a check plays: two processes of one application, as far as Redis can tell. */
export interface Stage {
  /** One process. */
  readonly hf: Holdfast
  /** Another. */
  readonly rival: Holdfast
  /** What the check calls all that it makes: its id. */
  readonly name: string
  /** A third process, of this check alone, closed after it. */
  open(): Promise<Holdfast>
  /** A process like `hf` on one of the independent servers, for what needs several that know nothing of each other. */
  readonly servers: readonly string[]
  /** A point between two steps. Whoever tests the check spoils something here; others pass at once. */
  step(name: string): Promise<void>
  /** Told to end what it began, whatever became of the check. */
  after(undo: () => Promise<unknown> | unknown): void
  /** Fires when the check has run out of time, or was interrupted. */
  readonly signal: AbortSignal
  /** Told of an error that nobody is thrown: whoever waits need not wait on. */
  readonly heard: (error: unknown) => void
  /** Waits until `probe` is true. What has not come to pass after 5 s is broken. */
  until(what: string, probe: () => boolean | Promise<boolean>, received?: () => unknown): Promise<void>
}

/** A promise and how it is looked at. */
export interface Check {
  readonly id: string
  readonly title: string
  /** What holds, in words. */
  readonly promise: string
  /** Why it cannot be looked at here; undefined where it can. */
  readonly skip?: (stage: Pick<Stage, 'servers'>) => string | undefined
  /** Looks. Throws BrokenPromise, or the error of a call; answers what it has measured. */
  run(stage: Stage): Promise<Figure>
}

/** Refuses an answer that is not the one promised. */
export function expectEqual(what: string, received: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(received, expected)) throw new BrokenPromise(what, shown(expected), shown(received))
}

export function expectTrue(what: string, isTrue: boolean, expected: string, received: unknown): asserts isTrue {
  if (!isTrue) throw new BrokenPromise(what, expected, shown(received))
}

/** The code of the error with which `work` must reject. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    return `no error, but ${shown(await work)}`
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (typeof code === 'string') return code
    return error instanceof Error ? error.message : shown(error)
  }
}

/** So long a check waits for what should come by itself. */
export const PATIENCE_MS = 5_000
const LOOK_MS = 2

export async function until(
  what: string,
  probe: () => boolean | Promise<boolean>,
  received: () => unknown,
  { signal, trouble }: { readonly signal: AbortSignal; readonly trouble: () => unknown },
): Promise<void> {
  const endMs = monotonicMs() + PATIENCE_MS
  while (!(await probe())) {
    const error = trouble()
    if (error !== undefined) throw error
    if (monotonicMs() > endMs) throw new BrokenPromise(what, `within ${PATIENCE_MS} ms`, shown(received()))
    await sleep(LOOK_MS, signal)
  }
}

/** The median time of `work` done `times` times, one after the other. */
export async function timed(name: string, times: number, work: (turn: number) => Promise<unknown>): Promise<Figure> {
  const ms: number[] = []
  for (let turn = 0; turn < times; turn++) {
    const startMs = monotonicMs()
    await work(turn)
    ms.push(monotonicMs() - startMs)
  }
  ms.sort((a, b) => a - b)
  return { name, value: ms[Math.floor(times / 2)] as number, unit: 'ms' }
}

/** `count` numbers from 0. */
export const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
