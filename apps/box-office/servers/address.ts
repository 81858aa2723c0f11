import type { SeatsOptions } from 'holdfast'

/** Where the seats are kept, as the library takes it, in a form that crosses processes. */
export interface RedisAddress {
  /** Any of the library's forms: one server, a Sentinel group, a Cluster, shards. */
  readonly url: string
  /** Where to reach servers that announce another address: announced `host` or `host:port` to `host` or `host:port`. */
  readonly addressMap?: Readonly<Record<string, string>>
}

/** Can another server take over from one that died, under the same address? */
export function canFailOver({ url }: RedisAddress): boolean {
  return /^\s*rediss?\+(sentinel|cluster):/i.test(url)
}

/** What a sale must have reached before money is taken: what takes over from a server must know of it. */
export function durabilityOn(address: RedisAddress): NonNullable<SeatsOptions['durability']> {
  return canFailOver(address) ? 'replica' : 'async'
}
