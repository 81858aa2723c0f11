import { monotonicMs } from '../base/clock.ts'
import { Holdfast } from '../holdfast.ts'
import { type Cross, crossOf, type Outcome, PROMISE_BROKEN } from './outcome.ts'
import { type Check, type Stage, until } from './stage.ts'

/** The processes that checks play with. */
export interface Company {
  readonly hf: Holdfast
  readonly rival: Holdfast
  open(): Promise<Holdfast>
}

export interface RunOptions {
  readonly deadlineMs: number
  readonly servers: readonly string[]
  readonly signal: AbortSignal | undefined
  /** Called between the steps of a check. */
  readonly between: ((check: string, step: string) => Promise<unknown> | unknown) | undefined
}

/** So long each thing that a check has begun may take to end. */
const UNDO_MS = 1_000

/** Runs one check to its end, its deadline or the signal, whichever comes first, and ends what it began. */
export async function runCheck(check: Check, company: Company, options: RunOptions): Promise<Outcome> {
  const { id, title, promise } = check
  const startMs = monotonicMs()
  const told = () => ({ id, title, promise, tookMs: monotonicMs() - startMs })
  const reason = check.skip?.(options)
  if (reason !== undefined) return { ...told(), status: 'skipped', reason }
  const ending = new AbortController()
  const undos: (() => Promise<unknown> | unknown)[] = []
  let trouble: unknown
  let last = 'its beginning'
  const stage: Stage = {
    hf: company.hf,
    rival: company.rival,
    name: id,
    servers: options.servers,
    signal: ending.signal,
    open: async () => {
      const opened = await company.open()
      undos.push(() => opened.close())
      return opened
    },
    step: async (name) => {
      last = `step '${name}'`
      ending.signal.throwIfAborted()
      await options.between?.(id, name)
    },
    after: (undo) => void undos.push(undo),
    heard: (error) => {
      trouble ??= error
    },
    until: (what, probe, received = () => 'nothing') =>
      until(what, probe, received, { signal: ending.signal, trouble: () => trouble }),
  }
  const end = endOf(options, () => last)
  try {
    const figure = await Promise.race([check.run(stage), end.reached])
    return { ...told(), status: 'tick', figure }
  } catch (error) {
    options.signal?.throwIfAborted()
    const cross = error instanceof Overdue ? { code: OVERDUE, message: error.message } : crossOf(error)
    return { ...told(), status: 'cross', cross: await causeOf(cross, company) }
  } finally {
    end.forget()
    ending.abort(new Overdue('the check has ended'))
    await Promise.all(undos.map((undo) => atMost(UNDO_MS, undo)))
  }
}

export const OVERDUE = 'OVERDUE'

class Overdue extends Error {}

/** What swallows errors breaks its promise where nothing can be written at all: that is what should be told then. */
async function causeOf(cross: Cross, { hf }: Company): Promise<Cross> {
  if (cross.code !== PROMISE_BROKEN) return cross
  const { code, message } = (await whyNothingIsWritten(hf)) ?? cross
  return code === PROMISE_BROKEN ? cross : { code, message: `${cross.message}: ${message}` }
}

/** Why not even one key can be written; undefined where it can, or the user may not try. */
export async function whyNothingIsWritten(hf: Holdfast): Promise<Cross | undefined> {
  const redis = Holdfast.redisOf(hf)
  const key = redis.keyspace.entity('verify', 'probe')
  try {
    await redis.call(key, 'SET', [key, '1', 'PX', 1_000], { operation: 'verify', repeat: true })
    return undefined
  } catch (error) {
    const cross = crossOf(error)
    return cross.code === 'SERVER_DENIED' ? undefined : cross
  }
}

/** Rejects at the deadline, or when the signal fires. */
function endOf({ deadlineMs, signal }: RunOptions, last: () => string) {
  let forget = () => {}
  const reached = new Promise<never>((_, reject) => {
    const late = () => reject(new Overdue(`no end within ${deadlineMs} ms; it got as far as ${last()}`))
    const timer = setTimeout(late, deadlineMs)
    const onAbort = () => reject(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    forget = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  })
  reached.catch(() => {})
  return { reached, forget }
}

/** What is no good at its end has been told already, or does not matter: the check is over. */
export async function atMost(ms: number, work: () => Promise<unknown> | unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([
    Promise.resolve()
      .then(work)
      .catch(() => {}),
    late,
  ])
  clearTimeout(timer)
}
