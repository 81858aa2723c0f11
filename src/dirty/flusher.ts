import { backoffMs } from '../base/backoff.ts'
import { monotonicMs, sleep, unlessAborted } from '../base/clock.ts'
import { messageOf } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { LeaseKeeper, releaseLeases, TOKEN_LENGTH } from '../lease/lease.ts'
import { Loop } from '../loop/loop.ts'
import type { Redis } from '../redis/redis.ts'
import type { DirtyKeys, ValueKeys } from './keys.ts'
import { claimScript, settleScript } from './lua.generated.ts'
import { type DirtyRecord, readRecord } from './record.ts'

/** A killed process's writes are persisted by others after this. */
const LEASE_MS = 3_000
/** Each place is looked at this often, whoever wrote there. */
const SWEEP_MS = 1_000
/** So many failures in a row, with nothing taken in between: not they are at fault, the system of record is away. */
const FAILURES_IN_ROW = 3
const MOST_REMEMBERED = 100_000

export interface FlushOptions {
  readonly batch: number
  readonly delayMs: number
  readonly attempts: number
  /** What fails by itself is given up when it was written so long ago, whether or not others were taken meanwhile. */
  readonly giveUpMs: number
  readonly baseMs: number
  readonly maxMs: number
}

/** What is done with the records of one batch. */
export interface Persisting {
  /** Once, before the first try. */
  prepare(records: readonly DirtyRecord[]): Promise<void>
  /** Writes them to the system of record, all or none. */
  persist(records: readonly DirtyRecord[]): Promise<void>
  /** What readers see once that is done: '' and 0 for nothing. */
  shown(record: DirtyRecord): { readonly lifeMs: number; readonly frame: string | Buffer }
  keysOf(id: string): ValueKeys
}

type Settled = readonly [
  record: DirtyRecord,
  word: 'clean' | 'failed' | 'waits' | 'dead',
  ms: number,
  what: string | Buffer,
]

/**
 * Persists what is dirty in some places, a batch at a time, and one process at a time in each: what comes later of an id arrives later.
 *
 * An entry is given up after so many failures by itself, each after the system of record has taken others: while it takes nothing, all wait,
 * until they are so old that they are given up as well.
 */
export class Flusher {
  readonly #redis: Redis
  readonly #places: readonly DirtyKeys[]
  readonly #options: FlushOptions
  readonly #work: Persisting
  readonly #onError: (error: unknown) => void
  readonly #keeper: LeaseKeeper
  readonly #loops: readonly Loop[]
  readonly #running = new Map<DirtyKeys, Promise<unknown>>()
  /** When the system of record took anything, and how often in a row since then it did not. */
  #tookMs = Number.NEGATIVE_INFINITY
  #refusals = 0
  /** When an id failed last, in this process. */
  readonly #failedMs = new Map<string, number>()

  constructor(
    redis: Redis,
    places: readonly DirtyKeys[],
    options: FlushOptions,
    work: Persisting,
    onError: (error: unknown) => void,
  ) {
    this.#redis = redis
    this.#places = places
    this.#options = options
    this.#work = work
    this.#onError = onError
    this.#keeper = new LeaseKeeper(redis, LEASE_MS, 'dirty.renew')
    this.#loops = places.map((place, i) => {
      const turn = async (stopping: AbortSignal) => {
        const { nextMs } = await this.#turn(place, false, stopping)
        if (nextMs >= 0) this.#loops[i]?.within(Math.max(1, nextMs))
      }
      return new Loop(turn, { every: SWEEP_MS, onError }).start()
    })
  }

  /** Something was written there. */
  nudge(place: DirtyKeys): void {
    this.#loops[this.#places.indexOf(place)]?.within(this.#options.delayMs)
  }

  /** Persists all that is dirty in some places now, also what waits for its next try. Throws the first error of the system of record. */
  async flush(places = this.#places, signal?: AbortSignal): Promise<void> {
    await Promise.all(
      places.map(async (place) => {
        for (;;) {
          signal?.throwIfAborted()
          const { nextMs, failure } = await unlessAborted(this.#turn(place, true, signal), signal)
          if (failure !== undefined) throw failure.error
          if (nextMs < 0) return
          // Another process is at it.
          await sleep(Math.min(nextMs, 20), signal)
        }
      }),
    )
  }

  /** One after another in this process too. Answers when to come again, -1 when nothing is left. */
  async #turn(place: DirtyKeys, all: boolean, signal: AbortSignal | undefined) {
    const before = this.#running.get(place) ?? Promise.resolve()
    const turn = before.then(() => this.#run(place, all, signal))
    const settled = turn.catch(() => {})
    this.#running.set(place, settled)
    return turn
  }

  async #run(place: DirtyKeys, all: boolean, signal: AbortSignal | undefined) {
    const token = randomId(TOKEN_LENGTH)
    let held: ReturnType<LeaseKeeper['hold']> | undefined
    let failure: { readonly error: unknown } | undefined
    try {
      for (;;) {
        const askedMs = monotonicMs()
        const [word, ms, ...records] = await this.#claim(place, token, all)
        if (word === 'busy') return { nextMs: Math.max(1, ms), failure }
        const lot = toRecords(records)
        if (lot.length === 0) return { nextMs: ms, failure }
        held ??= this.#keeper.hold([place.lease], token, askedMs)
        const { settled, failed } = await this.#persist(lot)
        failure ??= failed
        if (!(await this.#settle(place, token, settled))) return { nextMs: 1, failure }
        // What failed now is not tried again at once.
        if (signal?.aborted || (all && failure !== undefined)) return { nextMs: SWEEP_MS, failure }
      }
    } finally {
      if (held !== undefined) {
        this.#keeper.letGo(held)
        await releaseLeases(this.#redis, [place.lease], token, '', 'dirty.release').catch(() => {})
      }
    }
  }

  #claim(place: DirtyKeys, token: string, all: boolean) {
    const { dirty, due, writes, tries, lease } = place
    const args = { token, leaseMs: LEASE_MS, most: this.#options.batch, all: all ? '1' : '0' }
    // Sent twice it finds its own token.
    return claimScript.run(this.#redis, { dirty, due, writes, tries, lease }, args, CLAIM)
  }

  async #persist(
    lot: readonly DirtyRecord[],
  ): Promise<{ readonly settled: readonly Settled[]; readonly failed: { readonly error: unknown } | undefined }> {
    await this.#work.prepare(lot)
    const settled: Settled[] = []
    let failed: { readonly error: unknown } | undefined
    const attempt = async (records: readonly DirtyRecord[]) => {
      const failure = await this.#try(records)
      failed ??= failure
      return failure
    }
    // What has failed before goes by itself: others are not to fail with it again.
    const fresh = lot.filter(({ tries }) => tries === 0)
    const alone = lot.filter(({ tries }) => tries > 0)
    if (fresh.length > 0) {
      const failure = await attempt(fresh)
      if (failure === undefined) settled.push(...fresh.map((record) => this.#clean(record)))
      else if (fresh.length === 1) settled.push(this.#fail(fresh[0] as DirtyRecord, failure.error))
      else settled.push(...fresh.map((record) => this.#wait(record)))
    }
    let inRow = 0
    for (const record of alone) {
      if (inRow >= FAILURES_IN_ROW) {
        settled.push([record, 'waits', this.#waitMs(record), ''])
        continue
      }
      const failure = await attempt([record])
      inRow = failure === undefined ? 0 : inRow + 1
      settled.push(failure === undefined ? this.#clean(record) : this.#fail(record, failure.error))
    }
    return { settled, failed }
  }

  async #try(records: readonly DirtyRecord[]): Promise<{ readonly error: unknown } | undefined> {
    try {
      await this.#work.persist(records)
      this.#tookMs = monotonicMs()
      this.#refusals = 0
      return undefined
    } catch (error) {
      this.#refusals++
      this.#onError(error)
      return { error }
    }
  }

  #clean(record: DirtyRecord): Settled {
    this.#failedMs.delete(record.id)
    const { lifeMs, frame } = this.#work.shown(record)
    return [record, 'clean', lifeMs, frame]
  }

  /** A failure counts against the entry if the system of record has taken others since its last one, which this process has seen. */
  #fail(record: DirtyRecord, error: unknown): Settled {
    const { id, tries } = record
    const lastMs = this.#failedMs.get(id)
    const message = textOf(error)
    const waits = this.#wait(record, message)
    if (lastMs === undefined || this.#tookMs <= lastMs) return waits
    if (tries + 1 < this.#options.attempts) return [record, 'failed', this.#waitMs(record), message]
    this.#failedMs.delete(id)
    return [record, 'dead', 0, message]
  }

  /** `message`: of what it failed with by itself. */
  #wait(record: DirtyRecord, message = ''): Settled {
    // Those that other processes have persisted are never asked for again.
    if (this.#failedMs.size >= MOST_REMEMBERED) this.#failedMs.clear()
    this.#failedMs.set(record.id, monotonicMs())
    return [record, 'waits', this.#waitMs(record), message]
  }

  #waitMs({ tries }: DirtyRecord): number {
    const { baseMs, maxMs } = this.#options
    return backoffMs(Math.max(tries, Math.floor(this.#refusals / FAILURES_IN_ROW) - 1), baseMs, maxMs)
  }

  /** False when the lease was lost: then another persists the same again. */
  async #settle(place: DirtyKeys, token: string, settled: readonly Settled[]): Promise<boolean> {
    const { dirty, due, writes, tries, dead, lease } = place
    const entries = settled.flatMap(([{ id }]) => {
      const { value, fence } = this.#work.keysOf(id)
      return [value, fence]
    })
    const said = settled.flatMap(([{ id, version }, word, ms, what]) => [id, version, word, String(ms), what])
    const keys = { dirty, due, writes, tries, dead, lease, entries }
    const [word] = await settleScript.run(
      this.#redis,
      keys,
      { token, giveUpMs: this.#options.giveUpMs, settled: said },
      SETTLE,
    )
    return word === 'settled'
  }

  /** Ends the turns; what is under way is let end. */
  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()))
    await Promise.all(this.#running.values())
    this.#keeper.stop()
  }
}

const CLAIM = { operation: 'dirty.claim', repeat: true } as const
const SETTLE = { operation: 'dirty.settle', repeat: true } as const

function toRecords(parts: readonly (Buffer | number)[]): readonly DirtyRecord[] {
  const records: DirtyRecord[] = []
  for (let i = 0; i + 2 < parts.length; i += 3) {
    const [id, record, tries] = parts.slice(i, i + 3) as [Buffer, Buffer, Buffer]
    records.push(readRecord(String(id), record, Number(String(tries))))
  }
  return records
}

/** On one line, as the record of a dead one has it; never empty. */
const textOf = (error: unknown): string => messageOf(error).replace(/\n/g, ' ').slice(0, 1_000) || 'no message'
