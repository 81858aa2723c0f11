import { ServerError } from '../base/errors.ts'
import { TOKEN_LENGTH } from '../lease/lease.ts'
import type { CallOptions } from '../redis/call.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import type { Reply } from '../redis/wire.ts'
import type { CacheKeys } from './keys.ts'
import {
  fenceScript,
  fillScript,
  type LeaseReply,
  leaseScript,
  liftScript,
  putManyScript,
  putScript,
} from './lua.generated.ts'

/** How long a load's lease lasts unless renewed: a killed holder keeps the others waiting for no longer. */
export const LEASE_MS = 3_000
/** Most entries of one script call: bounds the server's work per call to about half a millisecond. */
const MOST_PER_SCRIPT = 128

/** What a lease request found for one entry. `frame`: the value that stood there when the lease was given, if it was asked for. */
export type LeaseAnswer =
  | { readonly state: 'value'; readonly frame: Buffer }
  | { readonly state: 'granted' | 'held'; readonly token: string; readonly frame?: Buffer }
  /** Somebody is changing it: load it if need be, and store nothing. */
  | { readonly state: 'fenced' }

/** What a lease request reads: nothing, a value instead of the lease, or one beside it. */
export type LeaseRead = 'none' | 'instead' | 'beside'

/** What is written and not persisted yet, where entries are not there: they may have been removed or evicted meanwhile. */
export interface Unpersisted {
  frameOf(id: string): Promise<Buffer | null>
  framesOf(ids: readonly string[]): Promise<readonly (Buffer | null)[]>
}

export interface FilledEntry {
  readonly id: string
  readonly lifeMs: number
  readonly frame: string | Buffer
}

/** The entries of one cache on the wire: each verb is one round trip, for one entry or many. */
export class Entries {
  readonly #redis: Redis
  readonly #keys: CacheKeys
  readonly #fleet: boolean
  readonly #needs: string
  readonly #channel: string
  readonly #leaseOptions: ScriptOptions
  readonly #fillOptions: ScriptOptions
  readonly #readOptions: CallOptions
  readonly #replicaOptions: CallOptions

  /** With write-behind. */
  unpersisted: Unpersisted | undefined

  constructor(redis: Redis, keys: CacheKeys, fleet: boolean, needs: string) {
    this.#redis = redis
    this.#keys = keys
    this.#fleet = fleet
    this.#needs = needs
    this.#channel = fleet ? keys.channel : ''
    this.#leaseOptions = this.#writeOptions('cache.lease')
    this.#fillOptions = this.#writeOptions('cache.fill')
    this.#readOptions = { operation: 'cache.get', repeat: true, bytes: true, needs }
    this.#replicaOptions = { ...this.#readOptions, readFrom: 'replica' }
  }

  read(id: string, byReplica: boolean): Promise<Buffer | null> {
    const { unpersisted } = this
    const found = this.#read(id, byReplica)
    return unpersisted === undefined ? found : found.then((frame) => frame ?? unpersisted.frameOf(id))
  }

  #read(id: string, byReplica: boolean): Promise<Buffer | null> {
    const key = this.#keys.entry(id)
    return this.#redis.call(
      key,
      'GET',
      [key],
      byReplica ? this.#replicaOptions : this.#readOptions,
    ) as Promise<Buffer | null>
  }

  async readMany(ids: readonly string[], byReplica: boolean): Promise<readonly (Buffer | null)[]> {
    const frames = await this.#readMany(ids, byReplica)
    const missing = this.unpersisted === undefined ? [] : ids.filter((_, i) => frames[i] === null)
    if (this.unpersisted === undefined || missing.length === 0) return frames
    const found = await this.unpersisted.framesOf(missing)
    let at = 0
    return frames.map((frame) => (frame === null ? (found[at++] ?? null) : frame))
  }

  async #readMany(ids: readonly string[], byReplica: boolean): Promise<readonly (Buffer | null)[]> {
    const options = byReplica ? this.#replicaOptions : this.#readOptions
    const names = ids.map((id) => this.#keys.entry(id))
    try {
      return (await this.#redis.getAll(names, options)) as readonly (Buffer | null)[]
    } catch (error) {
      if (!isWrongType(error)) throw error
    }
    // Where a key stands alone it is asked for by GET, and one that is no text fails them all: somebody else's, and a miss.
    const readOne = (id: string) =>
      this.read(id, byReplica).catch((error: unknown) => {
        if (isWrongType(error)) return null
        throw error
      })
    return Promise.all(ids.map(readOne))
  }

  /** Asks for the right to load one entry. `alone`: never to be shared. */
  async leaseOne(id: string, token: string, read: LeaseRead, alone = this.#fleet): Promise<LeaseAnswer> {
    const entry = this.#keys.entry(id)
    const reply = await leaseScript.run(
      this.#redis,
      { entries: [entry, this.#keys.leaseOf(entry), this.#keys.fenceOf(entry)] },
      { token, leaseMs: LEASE_MS, read, waits: alone ? '1' : '0' },
      this.#leaseOptions,
    )
    return reply[0] === 'granted' ? { state: 'granted', token } : readAnswer(reply[1], reply[2], token)
  }

  /** Writes what was loaded for one entry under `token`. False when its lease stands no more. */
  async fillOne(token: string, id: string, lifeMs: number, frame: string | Buffer): Promise<boolean> {
    const entry = this.#keys.entry(id)
    const [word] = await fillScript.run(
      this.#redis,
      { pairs: [entry, this.#keys.leaseOf(entry)] },
      { token, channel: this.#channel, frames: [String(lifeMs), frame] },
      this.#fillOptions,
    )
    return word === 'filled'
  }

  /** Asks for the right to load each of `ids`. */
  async lease(ids: readonly string[], token: string, read: 'none' | 'instead'): Promise<readonly LeaseAnswer[]> {
    const lots = this.#redis.groupByPlace(ids, (id) => this.#keys.entry(id), MOST_PER_SCRIPT)
    const replies = await Promise.all(
      lots.map((lot) =>
        leaseScript.run(
          this.#redis,
          { entries: this.#triples(lot) },
          { token, leaseMs: LEASE_MS, read, waits: this.#fleet ? '1' : '0' },
          this.#leaseOptions,
        ),
      ),
    )
    const granted: LeaseAnswer = { state: 'granted', token }
    const parse = ([word, ...answers]: LeaseReply, lot: readonly string[]) =>
      lot.map((_, i) => (word === 'granted' ? granted : readAnswer(answers[2 * i], answers[2 * i + 1], token)))
    if (lots.length === 1) return parse(replies[0] as LeaseReply, ids)
    const byId = new Map<string, LeaseAnswer>()
    lots.forEach((lot, l) => {
      const answers = parse(replies[l] as LeaseReply, lot)
      lot.forEach((id, i) => void byId.set(id, answers[i] as LeaseAnswer))
    })
    return ids.map((id) => byId.get(id) as LeaseAnswer)
  }

  /** Writes what was loaded under `token`, where its lease still stands. Answers the ids that were written. */
  async fill(token: string, entries: readonly FilledEntry[]): Promise<ReadonlySet<string>> {
    const lots = this.#redis.groupByPlace(entries, ({ id }) => this.#keys.entry(id), MOST_PER_SCRIPT)
    const filled = new Set<string>()
    await Promise.all(
      lots.map(async (lot) => {
        const [word, ...outcomes] = await fillScript.run(
          this.#redis,
          { pairs: this.#pairs(lot.map(({ id }) => id)) },
          { token, channel: this.#channel, frames: lot.flatMap(({ lifeMs, frame }) => [String(lifeMs), frame]) },
          this.#fillOptions,
        )
        lot.forEach(({ id }, i) => {
          if (word === 'filled' || outcomes[i] === 'filled') filled.add(id)
        })
      }),
    )
    return filled
  }

  async put(id: string, lifeMs: number, frame: string | Buffer): Promise<void> {
    await putScript.run(
      this.#redis,
      { value: this.#keys.entry(id), lease: this.#keys.lease(id) },
      { frame, lifeMs, channel: this.#channel },
      this.#writeOptions('cache.set'),
    )
  }

  /** Writes many entries, and says of each how that ended. A lot that failed does not stop the others. */
  async putMany(
    entries: readonly FilledEntry[],
    onOutcome: (entry: FilledEntry, outcome: 'written' | 'fenced' | { readonly error: unknown }) => void,
  ): Promise<void> {
    const lots = this.#redis.groupByPlace(entries, ({ id }) => this.#keys.entry(id), MOST_PER_SCRIPT)
    const options = this.#writeOptions('cache.warm')
    const write = async (lot: readonly FilledEntry[]) => {
      const frames = lot.flatMap(({ lifeMs, frame }) => [String(lifeMs), frame])
      const keys = { entries: this.#triples(lot.map(({ id }) => id)) }
      return putManyScript.run(this.#redis, keys, { channel: this.#channel, frames }, options)
    }
    await Promise.all(
      lots.map(async (lot) => {
        const reply = await write(lot).catch((error: unknown) => ({ error }))
        lot.forEach((entry, i) => {
          if ('error' in reply) onOutcome(entry, reply)
          else onOutcome(entry, reply[0] === 'mixed' && reply[i + 1] === 'fenced' ? 'fenced' : 'written')
        })
      }),
    )
  }

  /** Takes the lease of an entry from whoever has it: for a write, which voids loads and other writes alike. */
  async claim(id: string, token: string): Promise<Key> {
    const lease = this.#keys.lease(id)
    await this.#redis.call(lease, 'SET', [lease, token, 'PX', LEASE_MS], this.#writeOptions('cache.set'))
    return lease
  }

  /** Removes an entry and voids a load of it that is under way. True if a value was there. */
  async remove(id: string, operation: string): Promise<void> {
    const key = this.#keys.entry(id)
    await this.#redis.call(key, 'UNLINK', [key, this.#keys.lease(id)], this.#writeOptions(operation))
  }

  /** Removes entries, voids their loads, and lets nothing be loaded into them for `fenceMs`, or until `lift`. */
  async fence(ids: readonly string[], token: string, fenceMs: number, timeoutMs?: number): Promise<void> {
    const args = { token, fenceMs, channel: this.#channel }
    const options = { ...this.#writeOptions('cache.mutate'), ...(timeoutMs !== undefined && { timeoutMs }) }
    await Promise.all(
      this.#lots(ids).map((lot) => fenceScript.run(this.#redis, { entries: this.#triples(lot) }, args, options)),
    )
  }

  /** Removes entries once more, and lifts the fence of that token. */
  async lift(ids: readonly string[], token: string): Promise<void> {
    const args = { token, channel: this.#channel }
    const options = this.#writeOptions('cache.mutate')
    await Promise.all(
      this.#lots(ids).map((lot) => liftScript.run(this.#redis, { entries: this.#triples(lot) }, args, options)),
    )
  }

  #lots(ids: readonly string[]): readonly (readonly string[])[] {
    return this.#redis.groupByPlace(ids, (id) => this.#keys.entry(id), MOST_PER_SCRIPT)
  }

  #triples(ids: readonly string[]): readonly Key[] {
    return ids.flatMap((id) => {
      const entry = this.#keys.entry(id)
      return [entry, this.#keys.leaseOf(entry), this.#keys.fenceOf(entry)]
    })
  }

  #pairs(ids: readonly string[]): readonly Key[] {
    const pairs: Key[] = []
    for (const id of ids) {
      const entry = this.#keys.entry(id)
      pairs.push(entry, this.#keys.leaseOf(entry))
    }
    return pairs
  }

  // Every write of a cache may be repeated: it carries a token of ours, or writes or removes the very same again.
  #writeOptions(operation: string) {
    return { operation, repeat: true, needs: this.#needs } as const
  }
}

const isWrongType = (error: unknown): boolean => error instanceof ServerError && error.reply === 'WRONGTYPE'

function readAnswer(state: Reply | undefined, payload: Reply | undefined, own: string): LeaseAnswer {
  const word = String(state) as LeaseAnswer['state']
  const bytes = payload as Buffer
  if (word === 'value') return { state: word, frame: bytes }
  if (word === 'fenced') return { state: word }
  const held = word === 'held'
  const token = held ? bytes.toString('latin1', 0, TOKEN_LENGTH) : own
  const frame = held ? bytes.subarray(TOKEN_LENGTH) : bytes
  return frame.length === 0 ? { state: word, token } : { state: word, token, frame }
}
