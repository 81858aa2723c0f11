/**
 * Measures contenders side by side: each round gives every contender one slice of time, in a changing order, and the ratio is taken
 * within the round. Machines are noisy and drift; a ratio of neighbours in time, and the median of many, is what can be trusted.
 */
export interface Contender {
  readonly name: string
  /** One operation. `turn` counts up over all callers of the contender. */
  readonly run: (turn: number) => Promise<unknown>
  /** Awaited before each slice, unmeasured: what those before it have undone by keeping the process busy. */
  readonly ready?: () => Promise<unknown>
}

export interface Measured {
  readonly name: string
  /** Median over the rounds. */
  readonly perSecond: number
  /** CPU time of this process for one operation, in µs: median over the rounds. */
  readonly cpuMicros: number
  /** Ratio to the first contender, the floor: median, least and most over the rounds. */
  readonly ratio: number
  readonly ratioRange: readonly [number, number]
}

export interface RoundOptions {
  readonly callers: number
  readonly rounds: number
  readonly sliceMs: number
}

export async function measure(contenders: readonly Contender[], options: RoundOptions): Promise<readonly Measured[]> {
  const rates = contenders.map(() => [] as number[])
  const cpus = contenders.map(() => [] as number[])
  const turns = contenders.map(() => 0)
  const slice = async (c: number, sliceMs: number) => {
    const { run, ready } = contenders[c] as Contender
    await ready?.()
    const start = performance.now()
    const cpu = process.cpuUsage()
    let done = 0
    const next = () => {
      const turn = turns[c] as number
      turns[c] = turn + 1
      return turn
    }
    const caller = async () => {
      while (performance.now() - start < sliceMs) {
        await run(next())
        done++
      }
    }
    await Promise.all(Array.from({ length: options.callers }, caller))
    const used = process.cpuUsage(cpu)
    return { perSecond: (done * 1_000) / (performance.now() - start), cpuMicros: (used.user + used.system) / done }
  }
  // Twice unmeasured: the compiler needs to have seen each path.
  for (let warm = 0; warm < 2; warm++) for (let c = 0; c < contenders.length; c++) await slice(c, options.sliceMs / 2)
  for (let round = 0; round < options.rounds; round++)
    for (let i = 0; i < contenders.length; i++) {
      const c = (i + round) % contenders.length
      const { perSecond, cpuMicros } = await slice(c, options.sliceMs)
      rates[c]?.push(perSecond)
      cpus[c]?.push(cpuMicros)
    }
  const floor = rates[0] as number[]
  return contenders.map(({ name }, c) => {
    const ratios = (rates[c] as number[]).map((rate, round) => rate / (floor[round] as number))
    return {
      name,
      perSecond: median(rates[c] as number[]),
      cpuMicros: median(cpus[c] as number[]),
      ratio: median(ratios),
      ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    }
  })
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which the share `q` of the values lies, interpolated. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const place = (sorted.length - 1) * q
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}
