import { type DirtyKeys, dirtyKeys } from '../dirty/keys.ts'
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
 * With write-behind, entries stand together in eight places, each with its list of what is not persisted:
 *
 *   {shop:cache:product:~3}:42            string  the entry's frame          without a ttl until it is persisted
 *   behind:{shop:cache:product:~3}:…      writes on record, in several keys  last until they are persisted; dead ones until redriven
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
  readonly #together: boolean

  /** `together`: as write-behind needs it. */
  constructor(keyspace: Keyspace, name: string, together = false) {
    this.#together = together
    this.entryPrefix = `{${keyspace.stem('cache', name)}`
    const tag = `{${keyspace.stem('cache')}${escapePart(name)}}`
    this.tagPrefix = `${tag}:tag:`
    this.generation = `${tag}:generation` as Key
    this.channel = keyspace.channel('cache', name, 'filled')
    const ends = ['', 'lease:', 'fence:', ...(together ? ['behind:'] : [])]
    this.patterns = [...ends.map((start) => `${start}${this.entryPrefix}*`), `${tag}:*`]
  }

  entry(id: string): Key {
    if (this.#together) return `${this.entryPrefix}~${placeOf(id)}}:${escapeLast(id)}` as Key
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

  /** Where the writes of each of the eight places are on record. */
  get places(): readonly DirtyKeys[] {
    return Array.from({ length: PLACES }, (_, place) => dirtyKeys(`behind:${this.entryPrefix}~${place}}`))
  }

  /** The id of an entry's key, or undefined for any other key. */
  idOf(key: string): string | undefined {
    if (this.#together) {
      const start = this.entryPrefix.length
      return key.startsWith(this.entryPrefix) && key[start] === '~' && key.startsWith('}:', start + 2)
        ? unescapeName(key.slice(start + 4))
        : undefined
    }
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
    const entries = this.#together ? `${this.entryPrefix}~*}:${superset}` : `${this.entryPrefix}${superset}}`
    return { entries, leases: `lease:${entries}`, matches }
  }
}

const PLACES = 8

/** The place of an id among eight. FNV-1a, stirred at the end so that ids part that differ in a digit (murmur's finalizer). */
export function placeOf(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & (PLACES - 1)
}
