import { ConfigError } from '../../base/errors.ts'
import { showAddress } from '../../redis/address.ts'
import { Calls } from '../../redis/calls.ts'
import { openIoredisWire } from '../../redis/ioredis.ts'
import { Keyspace } from '../../redis/keyspace.ts'
import { Node } from '../../redis/node.ts'
import { type ConnectOptions, resolveSettings, type Settings } from '../../redis/settings.ts'
import {
  areRelated,
  decodeLayout,
  isNewer,
  type Layout,
  LayoutKeys,
  type NamedAddress,
  namesOf,
  shardsOf,
  sortShards,
  toAddress,
} from '../../redis/shards/layout.ts'
import type { Reply } from '../../redis/wire.ts'
import { ShardsRefusedError } from './errors.ts'
import type { ShardOptions } from './options.ts'

/** One shard's server, of the list of now or of the one to be. */
export interface ShardServer {
  readonly name: string
  readonly node: Node
}

/** A call of the mover waits so long for a server that does a large piece of work. */
const LEAST_TIMEOUT_MS = 5_000

/** Every server of both lists, each with a connection of its own, and what their records say. */
export class ShardServers {
  readonly namespace: string
  readonly keys: LayoutKeys
  /** The list that is to be, as `to` names it. */
  readonly wanted: readonly NamedAddress[]
  readonly timeoutMs: number
  readonly #given: readonly NamedAddress[]
  readonly #settings: readonly [now: Settings, then: Settings]
  readonly #calls: Calls
  readonly #servers = new Map<string, ShardServer>()
  readonly #silent = new Set<string>()

  constructor(options: ShardOptions) {
    const { url, to, signal: _signal, force: _force, onProgress: _onProgress, ...rest } = options
    const now = resolveShards('url', url, rest)
    const then = resolveShards('to', to, rest)
    this.#settings = [now, then]
    const keyspace = new Keyspace(now.namespace)
    this.namespace = keyspace.namespace
    this.keys = new LayoutKeys(keyspace)
    this.#given = namedIn(now)
    this.wanted = sortShards(namedIn(then))
    this.timeoutMs = Math.max(LEAST_TIMEOUT_MS, now.timeoutMs)
    this.#calls = new Calls(this.timeoutMs)
  }

  /** The server of a shard: at the address of `to`, else that of `url`, else the one that the record has. */
  at({ name, address }: NamedAddress): ShardServer {
    const known = this.#servers.get(name)
    if (known !== undefined) return known
    const [now, then] = this.#settings
    const wanted = this.wanted.find((one) => one.name === name)
    const given = wanted ?? this.#given.find((one) => one.name === name)
    const { host, port } = toAddress(given?.address ?? address)
    // Both may have credentials of their own; the first address's serve where the second has none.
    const hasLogin = then.connection.password !== undefined || then.connection.username !== undefined
    const { connection, mapAddress } = wanted !== undefined && hasLogin ? then : now
    const mapped = mapAddress(host, port)
    const node = new Node(showAddress(mapped), { ...connection, ...mapped }, this.#calls, openIoredisWire)
    node.open()
    const server = { name, node }
    this.#servers.set(name, server)
    return server
  }

  /** Those of `shards` that answer, and the names of the others. One that did not answer once is not asked again. */
  async reach(
    shards: readonly NamedAddress[],
  ): Promise<{ readonly servers: readonly ShardServer[]; readonly silent: readonly string[] }> {
    const all = shards.map((shard) => this.at(shard))
    const options = { operation: 'shards.reach', repeat: true, timeoutMs: Math.min(this.timeoutMs, REACH_MS) }
    const ask = async ({ name, node }: ShardServer): Promise<void> => {
      if (this.#silent.has(name)) return
      try {
        await node.call('PING', [], options)
      } catch (error) {
        // A wrong password is no outage.
        if (!isAway(error)) throw error
        this.#silent.add(name)
      }
    }
    await Promise.all(all.map(ask))
    return {
      servers: all.filter(({ name }) => !this.#silent.has(name)),
      silent: namesOf(all.filter(({ name }) => this.#silent.has(name))),
    }
  }

  /**
   * The list that counts now: the newest record on any shard of either address; undefined where none has one.
   *
   * throws  CHANGE_REFUSED when a server is not the shard that its address calls it, or belongs to another list
   */
  async readLayout(): Promise<Layout | undefined> {
    const seen = new Set<string>()
    let newest: Layout | undefined
    for (let ask = unique([...this.#given, ...this.wanted]); ask.length > 0; ) {
      for (const { name } of ask) seen.add(name)
      const { servers } = await this.reach(ask)
      const records = await Promise.all(servers.map((server) => this.#readRecord(server)))
      for (const layout of records) {
        if (layout === undefined) continue
        if (newest !== undefined && !areRelated(newest, layout) && newest.version > 0 && layout.version > 0)
          throw new ShardsRefusedError('busy', [], 'these servers have lists of shards that know nothing of each other')
        if (isNewer(layout, newest)) newest = layout
      }
      ask = newest === undefined ? [] : shardsOf(newest).filter(({ name }) => !seen.has(name))
    }
    return newest
  }

  async #readRecord({ name, node }: ShardServer): Promise<Layout | undefined> {
    const options = { operation: 'shards.read', repeat: true, needs: '+hmget' }
    const [text, self] = (await node.call('HMGET', [this.keys.record, 'layout', 'self'], options)) as readonly Reply[]
    if (typeof self === 'string' && self !== name)
      throw new ShardsRefusedError(
        'busy',
        [name],
        `${node.address} is the shard '${self}', and an address calls it '${name}'`,
      )
    if (typeof text !== 'string') return undefined
    const layout = decodeLayout(text)
    if (layout === undefined)
      throw new ShardsRefusedError(
        'busy',
        [name],
        `${this.keys.record} on ${name} is of a form that this version cannot read`,
      )
    return layout
  }

  /** The first list, where none has been written: that of `url`. */
  get given(): readonly NamedAddress[] {
    return sortShards(this.#given)
  }

  async close(): Promise<void> {
    await this.#calls.close()
    for (const { node } of this.#servers.values()) node.close()
  }
}

/** A server that has not answered by then is away. */
const REACH_MS = 1_000

function resolveShards(option: 'url' | 'to', text: unknown, rest: ConnectOptions): Settings {
  if (typeof text !== 'string') throw new ConfigError(option, 'a text such as redis+shards://a=host,b=host', text)
  const settings = resolveSettings(text, rest)
  if (settings.place.kind !== 'shards')
    throw new ConfigError(
      option,
      'an address of shards, redis+shards://a=host,b=host',
      settings.place.kind === 'single' ? 'that of a single server' : `that of a ${settings.place.kind}`,
    )
  return settings
}

const namedIn = ({ place }: Settings): readonly NamedAddress[] =>
  place.kind === 'shards' ? place.shards.map(({ name, ...address }) => ({ name, address: showAddress(address) })) : []

const unique = (shards: readonly NamedAddress[]): readonly NamedAddress[] => [
  ...new Map(shards.map((shard) => [shard.name, shard])).values(),
]

const isAway = (error: unknown): boolean => {
  const { code } = error as { code?: unknown }
  return code === 'TIMEOUT' || code === 'CONNECTION_LOST'
}
