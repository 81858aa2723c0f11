import { Holdfast } from '../holdfast.ts'
import { openPlainWire } from '../redis/ioredis.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Node } from '../redis/node.ts'
import type { Redis } from '../redis/redis.ts'
import type { Arg, Reply, Wire } from '../redis/wire.ts'

/** The client alone: one socket for each server, and nothing around it. What the library costs is what it is slower than this. */
export class RawClient {
  readonly #redis: Redis
  readonly #wires: ReadonlyMap<Node, Wire>

  private constructor(redis: Redis, wires: ReadonlyMap<Node, Wire>) {
    this.#redis = redis
    this.#wires = wires
  }

  static async open(hf: Holdfast): Promise<RawClient> {
    const redis = Holdfast.redisOf(hf)
    const wires = new Map<Node, Wire>()
    const raw = new RawClient(redis, wires)
    try {
      for (const node of redis.topology.primaries()) wires.set(node, await raw.#openWire(node))
      return raw
    } catch (error) {
      raw.close()
      throw error
    }
  }

  async #openWire({ settings: { password, ...rest } }: Node): Promise<Wire> {
    const text = typeof password === 'function' ? await password() : password
    return openPlainWire({ ...rest, ...(text === undefined ? {} : { password: text }) }, new AbortController().signal)
  }

  /** A key of its own, in the namespace. */
  key(name: string): Key {
    return this.#redis.keyspace.entity('raw', name)
  }

  /** A command on the server that has `key` now; one that moves meanwhile is told and not followed. */
  send(key: Key, command: string, ...args: readonly Arg[]): Promise<Reply> {
    const node = this.#redis.topology.nodeOf(key)
    const wire = node === undefined ? undefined : this.#wires.get(node)
    if (wire === undefined) return Promise.reject(new Error(`no server is known for ${key}`))
    return wire.send(command, [key, ...args], false)
  }

  /** A script by its hash; it is brought along by the first call on each server. */
  async script(sha: string, text: string, key: Key, ...args: readonly Arg[]): Promise<Reply> {
    const node = this.#redis.topology.nodeOf(key)
    const wire = node === undefined ? undefined : this.#wires.get(node)
    if (wire === undefined) throw new Error(`no server is known for ${key}`)
    try {
      return await wire.send('EVALSHA', [sha, 1, key, ...args], false)
    } catch (error) {
      if (!String(error).includes('NOSCRIPT')) throw error
      return wire.send('EVAL', [text, 1, key, ...args], false)
    }
  }

  close(): void {
    for (const wire of this.#wires.values()) wire.destroy()
  }
}
