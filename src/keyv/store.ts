import { checkName } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import { Holdfast } from '../holdfast.ts'
import { onEveryServer } from '../redis/everywhere.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { aclRule } from '../redis/rights.ts'
import { scanKeys } from '../redis/scan.ts'
import { KeyvKeys } from './keys.ts'

/** Keys of one MGET or UNLINK: about 0.2 ms of the server. */
const LOT = 250

/** One value to write. */
export interface KeyvEntry {
  readonly key: string
  readonly value: string
  /** Ms. Default: for ever. */
  readonly ttl?: number | undefined
}

/**
 * A store for Keyv 5 on the connection of a Holdfast instance: `new Keyv({ store: new HoldfastKeyv(hf) })`. Works wherever the instance
 * does: one server, Sentinel, Cluster, shards.
 *
 * Nothing of Holdfast's cache stands behind it: no single load, no tags. It is for libraries that ask for a Keyv.
 */
export class HoldfastKeyv {
  /** Read by Keyv: its `dialect` lets it iterate. */
  readonly opts: Record<string, unknown> = { dialect: 'redis', url: 'redis://' }
  /**
   * Set by Keyv: what every key it gives begins with, before a colon. `clear` and `iterator` keep to it; a namespace that goes on behind a
   * colon (`a:b`) lies within the one before (`a`), since Keyv writes both so. Two Keyvs with namespaces of their own need a store each.
   */
  namespace: string | undefined
  readonly #redis: Redis
  readonly #keys: KeyvKeys
  readonly #needs: string
  #vetted = false

  /** `name`: sets stores of one instance apart. Default `''`. */
  constructor(hf: Holdfast, name = '') {
    if (!(hf instanceof Holdfast)) throw new ConfigError('hf', 'an instance made by connect(…)', hf)
    checkName('name', name)
    this.#redis = Holdfast.redisOf(hf)
    this.#keys = new KeyvKeys(this.#redis.keyspace, name)
    this.#needs = aclRule(this.#keys.rights)
  }

  async get<Value = string>(key: string): Promise<Value | undefined> {
    return found(await this.#call(key, 'GET', [])) as Value | undefined
  }

  async getMany<Value = string>(keys: readonly string[]): Promise<(Value | undefined)[]> {
    const values = await this.#redis.getAll(
      keys.map((key) => this.#keys.entry(key)),
      this.#options('keyv.getMany'),
    )
    return values.map((value) => found(value) as Value | undefined)
  }

  /** throws  CONFIG_INVALID for a value that is no text: leave Keyv its serializer */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    if (typeof value !== 'string') throw new ConfigError('value', 'a text, as the serializer of Keyv makes it', value)
    if (ttl !== undefined && !(Number.isFinite(ttl) && ttl > 0)) throw new ConfigError('ttl', 'ms above 0', ttl)
    await this.#call(key, 'SET', ttl === undefined ? [value] : [value, 'PX', Math.ceil(ttl)])
    return true
  }

  setMany(entries: readonly KeyvEntry[]): Promise<boolean[]> {
    return Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)))
  }

  /** True when it was there. Where the first answer was lost on the way and the call repeated: false, and it is gone all the same. */
  async delete(key: string): Promise<boolean> {
    return Number(await this.#call(key, 'UNLINK', [])) > 0
  }

  /** True when one of them was there. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    return (await this.#remove(keys.map((key) => this.#keys.entry(key)))) > 0
  }

  async has(key: string): Promise<boolean> {
    return Number(await this.#call(key, 'EXISTS', [])) > 0
  }

  hasMany(keys: readonly string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.has(key)))
  }

  /** Removes all keys of the namespace that Keyv has set; without one, all of this store. Nothing else of the server. */
  async clear(): Promise<void> {
    const pattern = this.#keys.glob(startOf(this.namespace))
    await onEveryServer(this.#redis, async (node) => {
      for await (const keys of scanKeys(node, pattern, 'keyv.clear')) await this.#remove(keys as readonly Key[])
    })
  }

  /** Every key with its value, in no order. Keys that come or go meanwhile may be missed. */
  async *iterator<Value = string>(namespace?: string): AsyncGenerator<[string, Value | undefined], void> {
    const pattern = this.#keys.glob(startOf(namespace))
    const names = new Set<string>()
    await onEveryServer(this.#redis, async (node) => {
      for await (const keys of scanKeys(node, pattern, 'keyv.iterator'))
        for (const key of keys) {
          const name = this.#keys.nameOf(key)
          if (name !== undefined) names.add(name)
        }
    })
    const all = [...names]
    for (let i = 0; i < all.length; i += LOT) {
      const lot = all.slice(i, i + LOT)
      const values = await this.getMany<Value>(lot)
      for (const [j, value] of values.entries()) if (value !== undefined) yield [lot[j] as string, value]
    }
  }

  /** The connection is the instance's: `hf.close()` ends it. */
  async disconnect(): Promise<void> {}

  /** What fails rejects; nothing is emitted. */
  on(_event: string, _listener: (...args: never[]) => void): this {
    return this
  }

  async #remove(keys: readonly Key[]): Promise<number> {
    const lots = this.#redis.groupByPlace(keys, (key) => key, LOT)
    const counts = await Promise.all(
      lots.map((lot) => this.#redis.call(lot[0] as Key, 'UNLINK', lot, this.#options('keyv.delete'))),
    )
    return counts.reduce<number>((sum, count) => sum + Number(count), 0)
  }

  #call(key: string, command: string, args: readonly (string | number)[]) {
    const entry = this.#keys.entry(key)
    return this.#redis.call(entry, command, [entry, ...args], this.#options(`keyv.${command.toLowerCase()}`))
  }

  // Each writes or removes the very same when it is repeated.
  #options(operation: string) {
    if (!this.#vetted) {
      this.#vetted = true
      this.#redis.vet('keyv', 'cache', this.#keys.rights, this.#keys.entry(''), '').catch(() => {})
    }
    return { operation, repeat: true, needs: this.#needs } as const
  }
}

const found = (value: unknown): unknown => (value === null ? undefined : value)
const startOf = (namespace: string | undefined): string => (namespace ? `${namespace}:` : '')
