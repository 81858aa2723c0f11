import { monotonicMs } from '../base/clock.ts'
import type { Operation } from './scenario.ts'

export interface Throughput {
  /** Operations a second, the median of the rounds. */
  readonly perSecond: number
  /** Of the client alone. */
  readonly rawPerSecond: number
  /** To the client alone, within each round: median, least and most. */
  readonly ratio: number
  readonly ratioRange: readonly [number, number]
}

/** What turns have come to: they count up over all slices, so that nothing is asked for twice. */
interface Contender {
  readonly run: Operation
  turn: number
}

const ROUNDS = 5

/**
 * So many callers, each of whom asks again as soon as he is answered: in turns with the client alone, since machines drift, and a ratio of
 * neighbours in time is what can be trusted.
 */
export async function measureThroughput(
  own: Operation,
  raw: Operation,
  { clients, forMs, signal }: { readonly clients: number; readonly forMs: number; readonly signal: AbortSignal },
): Promise<Throughput> {
  const contenders: readonly [Contender, Contender] = [
    { run: own, turn: 0 },
    { run: raw, turn: 0 },
  ]
  const sliceMs = forMs / (2 * (ROUNDS + 1))
  const slice = (which: 0 | 1) => runSlice(contenders[which], clients, sliceMs, signal)
  // Once unmeasured: the compiler has seen each path, and scripts are loaded.
  await slice(0)
  await slice(1)
  const owns: number[] = []
  const raws: number[] = []
  for (let round = 0; round < ROUNDS; round++)
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      (which === 0 ? owns : raws).push(await slice(which))
  const ratios = owns.map((rate, round) => rate / (raws[round] as number))
  return {
    perSecond: median(owns),
    rawPerSecond: median(raws),
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
  }
}

async function runSlice(contender: Contender, clients: number, sliceMs: number, signal: AbortSignal): Promise<number> {
  const startMs = monotonicMs()
  let done = 0
  // The first slice of a caller is whole even where one operation takes longer.
  const caller = async (place: number) => {
    for (let own = 0; own === 0 || monotonicMs() - startMs < sliceMs; own++) {
      signal.throwIfAborted()
      await contender.run(contender.turn + own * clients + place)
      done++
      most = Math.max(most, own + 1)
    }
  }
  let most = 0
  await Promise.all(Array.from({ length: clients }, (_, place) => caller(place)))
  contender.turn += most * clients
  return (done * 1_000) / (monotonicMs() - startMs)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
