import { compileGlob, escapeLast, escapePart, type Key, type Keyspace, unescapeName } from '../redis/keyspace.ts'

/**
 * Every key of a cache, spelt here and nowhere else. For the cache `product` in the namespace `shop`:
 *
 *   {shop:cache:product:42}               string  the entry's frame          expires: ttl + stale
 *   lease:{shop:cache:product:42}         string  the right to load it       expires: seconds, renewed while the load runs
 *   fence:{shop:cache:product:42}         sorted  who changes it by `mutate`      expires: seconds, renewed while that runs
 *   {shop:cache:product}:generation       string  last invalidation of a tag expires: a day or more after it
 *   {shop:cache:product}:tag:team:7       string  the epoch of a tag         expires: twice the longest entry
 *   shop:cache:product:filled             channel keys whose load has ended, for processes that wait
 *
 * An entry, its lease and its fence share a slot, and so do all tags of a cache. Lease and fence stand outside the prefix
 * that the memory tier listens to: loads would otherwise wake every process.
 */
export class CacheKeys {
  /** What every entry's key starts with; the invalidation stream is asked for it. */
  readonly entryPrefix: string
  /** What every tag's key starts with. */
  readonly tagPrefix: string
  readonly generation: Key
  readonly channel: string
  /** A pattern over all keys of this cache, for the manifest of rights. */
  readonly patterns: readonly string[]

  constructor(keyspace: Keyspace, name: string) {
    this.entryPrefix = `{${keyspace.stem('cache', name)}`
    const tag = `{${keyspace.stem('cache')}${escapePart(name)}}`
    this.tagPrefix = `${tag}:tag:`
    this.generation = `${tag}:generation` as Key
    this.channel = keyspace.channel('cache', name, 'filled')
    this.patterns = [`${this.entryPrefix}*`, `lease:${this.entryPrefix}*`, `fence:${this.entryPrefix}*`, `${tag}:*`]
  }

  entry(id: string): Key {
    return `${this.entryPrefix}${escapeLast(id)}}` as Key
  }

  lease(id: string): Key {
    return this.leaseOf(this.entry(id))
  }

  /** The lease of an entry's key. */
  leaseOf(entry: Key): Key {
    return `lease:${entry}` as Key
  }

  /** The fences of an entry's key. */
  fenceOf(entry: Key): Key {
    return `fence:${entry}` as Key
  }

  tag(tag: string): Key {
    return `${this.tagPrefix}${escapeLast(tag)}` as Key
  }

  /** The id of an entry's key, or undefined for any other key. */
  idOf(key: string): string | undefined {
    return key.startsWith(this.entryPrefix) && key.endsWith('}')
      ? unescapeName(key.slice(this.entryPrefix.length, -1))
      : undefined
  }

  /** The tag of a tag's key, or undefined for any other key. */
  tagOf(key: string): string | undefined {
    return key.startsWith(this.tagPrefix) ? unescapeName(key.slice(this.tagPrefix.length)) : undefined
  }

  /** What to SCAN for a user's glob over ids, and the exact test of what is found. */
  glob(pattern: string): { readonly entries: string; readonly leases: string; matches(id: string): boolean } {
    const { superset, matches } = compileGlob(pattern)
    const entries = `${this.entryPrefix}${superset}}`
    return { entries, leases: `lease:${entries}`, matches }
  }
}
