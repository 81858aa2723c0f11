import { HoldfastError } from '../base/errors.ts'
import { Loop } from '../loop/loop.ts'
import { Doorbell } from '../redis/doorbell.ts'
import { isOutage, type Redis } from '../redis/redis.ts'
import { unpackCells } from './cells.ts'
import { type EventKeys, eventChannel } from './keys.ts'
import type { Layout } from './layout.ts'
import { changesScript } from './lua.generated.ts'
import type { SeatChange, SeatState } from './outcomes.ts'

/** Changes of one call: 200 take 0.1 ms of the server. */
const PAGE = 200
/** Changes kept for those who are a little behind the newest. */
const KEPT = 2_048
/** The doorbell may be lost; the change is then seen this much later at most. */
const POLL_MS = 1_000

const STATE_AFTER: Readonly<Record<string, SeatState>> = {
  held: 'held',
  confirmed: 'sold',
  released: 'free',
  expired: 'free',
}

interface Waiter {
  wake(): void
  fail(error: unknown): void
}

/**
 * The changes of one event for all who follow it in this process: one doorbell, one read a change, however many follow.
 * It hears a doorbell and asks the log; what it passes on comes from the log only, number by number.
 */
export class Feed {
  readonly #redis: Redis
  readonly #id: string
  readonly #keys: EventKeys
  readonly #layoutOf: (tag: string) => Promise<Layout>
  readonly #onTurn: () => void
  readonly #waiters = new Set<Waiter>()
  #followers = 0
  #recent: SeatChange[] = []
  #version: number | undefined
  #loop: Loop | undefined
  #doorbell: Doorbell | undefined
  #rung = false
  #closed = false

  constructor(
    redis: Redis,
    id: string,
    keys: EventKeys,
    layoutOf: (tag: string) => Promise<Layout>,
    onTurn: () => void,
  ) {
    this.#redis = redis
    this.#id = id
    this.#keys = keys
    this.#layoutOf = layoutOf
    this.#onTurn = onTurn
  }

  /** Every change after `since`, and then each as it comes. Ends when the feed is closed. */
  async *follow(since: number | undefined, signal: AbortSignal | undefined): AsyncGenerator<SeatChange, void, void> {
    signal?.throwIfAborted()
    this.#start()
    try {
      let version = since ?? (await this.#latest())
      while (!this.#closed) {
        const batch = this.#remembered(version) ?? (await this.#read(version))
        signal?.throwIfAborted()
        for (const change of batch) {
          yield change
          version = change.version
          signal?.throwIfAborted()
        }
        if (batch.length > 0) continue
        // Closed while it read: nobody would wake it any more.
        if (this.#closed) return
        if (this.#version === undefined) {
          // From here on the feed reads for all. A ring that came before it knew where it stood is made good.
          this.#version = version
          this.#ring()
        }
        if (this.#version <= version) await this.#nextChange(signal)
      }
    } finally {
      this.#leave()
    }
  }

  #start(): void {
    if (this.#followers++ > 0) return
    this.#loop = new Loop(() => this.#turn(), { every: POLL_MS }).start()
    this.#doorbell = new Doorbell(this.#redis.listeners, eventChannel(this.#redis.keyspace, this.#id), {
      near: this.#keys.event,
      onMessage: (message) => {
        // A ring for what is known already is the echo of one's own read.
        if (Number(message) !== this.#version) this.#ring()
      },
      onUp: () => this.#ring(),
    }).listen()
  }

  /** Reads as soon as the read under way has ended; many rings until then are one. */
  #ring(): void {
    if (this.#rung) return
    this.#rung = true
    void this.#loop?.runNow()
  }

  #leave(): void {
    if (--this.#followers > 0) return
    void this.#loop?.stop()
    this.#loop = undefined
    this.#rung = false
    this.#doorbell?.close()
    this.#doorbell = undefined
    this.#forget()
  }

  #forget(): void {
    this.#recent = []
    this.#version = undefined
  }

  /** What came after `version`, if this feed has seen it all; undefined if it has not. */
  #remembered(version: number): readonly SeatChange[] | undefined {
    if (this.#version === undefined || version > this.#version) return undefined
    const missed = this.#version - version
    return missed > this.#recent.length ? undefined : this.#recent.slice(this.#recent.length - missed)
  }

  async #turn(): Promise<void> {
    this.#rung = false
    if (this.#version === undefined) return
    this.#onTurn()
    try {
      for (let more = true; more && this.#version !== undefined; ) {
        const batch: readonly SeatChange[] = await this.#read(this.#version)
        // Everybody may have left meanwhile.
        if (this.#version === undefined || batch.length === 0) return
        this.#recent = this.#recent.concat(batch).slice(-KEPT)
        this.#version = (batch.at(-1) as SeatChange).version
        for (const waiter of this.#waiters) waiter.wake()
        more = batch.length === PAGE
      }
    } catch (error) {
      // An outage ends by itself, and the log has what happened meanwhile.
      if (isOutage(error)) return
      this.#forget()
      for (const waiter of this.#waiters) waiter.fail(error)
    }
  }

  async #latest(): Promise<number> {
    const reply = await this.#ask(Number.MAX_SAFE_INTEGER)
    if (reply[0] === 'no-event') throw this.#lost(undefined)
    return reply[1]
  }

  async #read(since: number): Promise<readonly SeatChange[]> {
    const reply = await this.#ask(since)
    if (reply[0] !== 'changes') throw this.#lost(since)
    const [, , tag, entries] = reply
    if (entries.length === 0) return []
    const layout = await this.#layoutOf(tag)
    return entries.map((entry) => toChange(entry as LogEntry, layout))
  }

  #ask(since: number) {
    return changesScript.run(
      this.#redis,
      { event: this.#keys.event, log: this.#keys.log },
      { since, most: PAGE },
      { operation: 'seats.changes', repeat: true },
    )
  }

  #lost(since: number | undefined): HoldfastError {
    const what = since === undefined ? 'there is no such event' : `version ${since} cannot be continued`
    return new HoldfastError('STREAM_LOST', `seats.changes: ${what}; read the map again, and follow from its version`)
  }

  #nextChange(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiters.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        wake: () => {
          settle()
          resolve()
        },
        fail: (error) => {
          settle()
          reject(error)
        },
      }
      const onAbort = () => waiter.fail(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** Ends every iteration. */
  close(): void {
    this.#closed = true
    for (const waiter of this.#waiters) waiter.wake()
  }
}

/** An entry as the server gives it: id, then names and values in turn. */
export type LogEntry = readonly [id: string, pairs: readonly string[]]

/** The fields of an entry, and the version that is its id. */
export function readEntry([id, pairs]: LogEntry): { version: number; fields: ReadonlyMap<string, string> } {
  const fields = new Map<string, string>()
  for (let i = 0; i + 1 < pairs.length; i += 2) fields.set(pairs[i] as string, pairs[i + 1] as string)
  return { version: Number(id.slice(0, id.indexOf('-'))), fields }
}

function toChange(entry: LogEntry, layout: Layout): SeatChange {
  const { version, fields } = readEntry(entry)
  const kind = fields.get('kind') as SeatChange['kind']
  const state = STATE_AFTER[kind] ?? 'free'
  const cells = unpackCells(fields.get('cells') ?? '') ?? []
  return {
    version,
    kind,
    seats: cells.map((cell) => ({ id: layout.seatAt(cell), state })),
    atMs: Number(fields.get('at')),
  }
}
