import { setTimeout as wait } from 'node:timers/promises'
import { HoldfastError, type Queue } from 'holdfast'
import { type Chance, chanceOf } from './chance.ts'
import { addOptions, type ChaosJob, makeJob } from './jobs.ts'
import { type Added, type Ledger, nowMicros } from './ledger.ts'

const MOST_AT_ONCE = 40
/** Of batches so many wait until every replica has them. */
const FIRM_SHARE = 0.3
/** Between two tries at a server that is full or away. */
const AGAIN_MS = 20

export interface Production {
  readonly queues: readonly Queue<ChaosJob>[]
  readonly seed: number
  /** How many a producer adds in a second. */
  readonly rate: number
  /** Takes a number of the jobs that may still be added now; 0 when all have been. Waits while there are none. */
  readonly allow: (most: number) => Promise<number>
  /** Resolves with true when every replica has all that was written before; undefined where there is none. */
  readonly firm: (() => Promise<(() => Promise<boolean>) | undefined>) | undefined
}

/** Several producers, each with a connection of its own, that add jobs until there are no more to add. */
export class Producers {
  readonly #ledger: Ledger
  readonly #production: Production
  readonly #knocks: Promise<void>[] = []
  /** How often adds were refused because the server was full. */
  full = 0
  /** How often nobody knew whether a call was carried out. */
  unsure = 0

  constructor(ledger: Ledger, production: Production) {
    this.#ledger = ledger
    this.#production = production
  }

  async run(): Promise<void> {
    await Promise.all(this.#production.queues.map((queue, i) => this.#produce(queue, i)))
  }

  /** One more job, tried until it is added, however full the server is now. */
  knock(): void {
    const { queues } = this.#production
    const added = this.#ledger.add({ key: `${queues.length}.${this.#knocks.length}`, kind: 'plain', takesMs: 1 })
    this.#knocks.push(this.#addLine(queues[0] as Queue<ChaosJob>, [added]))
  }

  /** Resolves when all of those are added. */
  async knocked(): Promise<void> {
    await Promise.all(this.#knocks)
  }

  async #produce(queue: Queue<ChaosJob>, producer: number): Promise<void> {
    const { allow, rate, seed } = this.#production
    const chance = chanceOf(seed * 31 + producer)
    for (let number = 0; ; ) {
      const count = await allow(1 + chance.below(MOST_AT_ONCE))
      if (count === 0) return
      const startMs = performance.now()
      const jobs = Array.from({ length: count }, () => this.#ledger.add(makeJob(producer, number++, chance)))
      await this.#addAll(queue, jobs, chance)
      await wait(Math.max(0, (count / rate) * 1_000 - (performance.now() - startMs)))
    }
  }

  async #addAll(queue: Queue<ChaosJob>, jobs: readonly Added[], chance: Chance): Promise<void> {
    const byOne = chance() < 0.5
    const isFirm = chance() < FIRM_SHARE ? await this.#production.firm?.() : undefined
    if (byOne) await Promise.all(this.#inLines(jobs).map((line) => this.#addLine(queue, line)))
    else await this.#addMany(queue, jobs)
    if (isFirm === undefined || !(await isFirm())) return
    for (const job of jobs) if (job.ackedUs !== undefined) job.isFirm = true
  }

  /** Those of groups one after the other, all others by themselves. */
  #inLines(jobs: readonly Added[]): Added[][] {
    const grouped = jobs.filter(({ job }) => job.kind === 'grouped')
    return [grouped, ...jobs.filter(({ job }) => job.kind !== 'grouped').map((job) => [job])]
  }

  async #addLine(queue: Queue<ChaosJob>, line: readonly Added[]): Promise<void> {
    for (const added of line) await this.#try([added], () => queue.add(added.job, addOptions(added.job)))
  }

  async #addMany(queue: Queue<ChaosJob>, jobs: readonly Added[]): Promise<void> {
    await this.#try(jobs, () =>
      queue.addMany(
        jobs.map(({ job }) => job),
        addOptions,
      ),
    )
  }

  /** Until it is known that they were added, where that can be known. */
  async #try(jobs: readonly Added[], add: () => Promise<unknown>): Promise<void> {
    for (;;)
      try {
        await add()
        const ackedUs = nowMicros()
        for (const job of jobs) job.ackedUs = ackedUs
        return
      } catch (error) {
        if (!(error instanceof HoldfastError) || !error.retryable) throw error
        if (error.code === 'SERVER_FULL') this.full++
        // Of several shards some may have taken theirs.
        const mayBeThere = error.code === 'SERVER_FULL' ? jobs.length > 1 : (error as { sent?: boolean }).sent !== false
        if (mayBeThere) {
          this.unsure++
          for (const job of jobs) job.isRepeated = true
          if (jobs.some(({ job }) => job.kind !== 'named')) return
        }
        await wait(AGAIN_MS)
      }
  }
}
