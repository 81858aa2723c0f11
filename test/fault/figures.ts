import type { Analytics, Holdfast } from 'holdfast'

/** Numbers between 0 and 1, the same for a seed each time (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Times as they are met: hits of a cache around 0.3 ms, queries around 8 ms with a long tail, and now and then a timeout of a second. */
export function latenciesOf(seed: number, count = 4_000): readonly number[] {
  const next = random(seed + 1)
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return Array.from({ length: count }, () => {
    const kind = next()
    if (kind < 0.6) return 0.3 * Math.exp(0.25 * normal())
    return kind < 0.99 ? 8 * Math.exp(0.9 * normal()) : 1_000 + next()
  })
}

/** Its one trial has its place for longer than the test. */
export const BREAKER = { failures: 1, cooldown: '1h', shared: { timeout: '10s' } } as const

/** What each process counts on a site: pages of which some are everybody's, and visitors of whom half are its own. */
export function countSeed(site: Analytics, seed: number): void {
  for (let i = 0; i < 300; i++) void site.hit('page', `/${i % 30}`, { visitor: `v${i % 2 === 0 ? i : `${seed}:${i}`}` })
  for (let i = 1; i <= 20; i++) void site.track('booking', { amount: seed + i })
}

/** Counts, measures and moves a place through an instance until it is told to stop, and knows what must be there then. */
export class Counting {
  readonly problems: unknown[] = []
  #over = false
  #counted = 0
  #measured = 0
  #moved = 0
  readonly #hf: Holdfast
  readonly #name: string
  readonly #work: readonly Promise<void>[]

  constructor(hf: Holdfast, name: string) {
    this.#hf = hf
    this.#name = name
    const site = hf.analytics(name)
    const geo = hf.geo(name, { split: 4 })
    this.#work = [
      this.#repeat(async () => {
        await site.track('event', { amount: 2 }, { sync: true, visitor: `v${this.#counted % 10}` })
        this.#counted++
      }),
      this.#repeat(async () => {
        if (await hf.monitor.record({ [name]: { values: [1, 2] } })) this.#measured += 2
      }),
      this.#repeat(async () => {
        await geo.add('van', { lon: this.#moved % 180, lat: 10 })
        this.#moved++
      }),
    ]
  }

  /** Rounds that were made of the slowest kind of work. */
  get rounds(): number {
    return Math.min(this.#counted, this.#measured, this.#moved)
  }

  async #repeat(round: () => Promise<void>): Promise<void> {
    while (!this.#over)
      try {
        await round()
      } catch (error) {
        this.problems.push(error)
      }
  }

  /** What is there, and what was acknowledged: the same when nothing was lost or counted twice. */
  async stop(): Promise<{ readonly found: object; readonly expected: object }> {
    this.#over = true
    await Promise.all(this.#work)
    const site = this.#hf.analytics(this.#name)
    const [events, sum, recent, { count }, places] = await Promise.all([
      site.count('event', { window: '1h' }),
      site.sum('event', 'amount', { window: '1h' }),
      site.recent('event', 1_000),
      this.#hf.monitor.stats(this.#name),
      this.#hf.geo(this.#name, { split: 4 }).nearby({ lon: 0, lat: 10, radius: '20000km' }),
    ])
    return {
      found: { events, sum, recent: recent.length, count, places: places.map(({ lon }) => Math.round(lon)) },
      expected: {
        events: this.#counted,
        sum: 2 * this.#counted,
        recent: Math.min(1_000, this.#counted),
        count: this.#measured,
        places: [(this.#moved - 1) % 180],
      },
    }
  }
}
