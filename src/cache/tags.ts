import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { TagStamp } from './frame.ts'
import type { CacheKeys } from './keys.ts'
import { invalidateTagsScript, touchTagsScript } from './lua.generated.ts'

/** How many ids' tags are remembered, to read epochs along with the entry. */
const MOST_HINTS = 20_000

/** The tags' state when a load began: what it must be compared with when the load has ended. */
export interface TagMoment {
  readonly generation: string
  readonly stamps: readonly TagStamp[]
}

/**
 * Tags as epochs: an entry carries the epoch that each of its tags had when its load began, and is fresh while they still have it.
 * Invalidating a tag gives it a new epoch, at one price for one entry or a million.
 */
export class TagTable {
  readonly #redis: Redis
  readonly #keys: CacheKeys
  readonly #lifeMs: number
  readonly #hints = new Map<string, readonly string[]>()
  #batch: { readonly tags: Map<string, number>; readonly epochs: Promise<readonly (string | null)[]> } | undefined

  /** `lifeMs`: how long an epoch must live, longer than any entry that may carry it. */
  constructor(redis: Redis, keys: CacheKeys, lifeMs: number) {
    this.#redis = redis
    this.#keys = keys
    this.#lifeMs = lifeMs
  }

  /** The tags that the entry of `id` had when it was last seen here; a guess that saves a round trip. */
  hint(id: string): readonly string[] | undefined {
    return this.#hints.size === 0 ? undefined : this.#hints.get(id)
  }

  remember(id: string, stamps: readonly TagStamp[], known: readonly string[] | undefined): void {
    if (known !== undefined && known.length === stamps.length && stamps.every(({ tag }, i) => tag === known[i])) return
    if (stamps.length === 0) return void this.#hints.delete(id)
    if (this.#hints.size >= MOST_HINTS) this.#hints.delete(this.#hints.keys().next().value as string)
    this.#hints.set(
      id,
      stamps.map(({ tag }) => tag),
    )
  }

  /** The epochs as they are now. All that is asked for in one tick is one command. */
  read(tags: readonly string[]): Promise<readonly (string | null)[]> {
    this.#batch ??= this.#openBatch()
    const { tags: places, epochs } = this.#batch
    const wanted = tags.map((tag) => {
      const place = places.get(tag) ?? places.size
      places.set(tag, place)
      return place
    })
    return epochs.then((all) => wanted.map((place) => all[place] as string | null))
  }

  #openBatch() {
    const tags = new Map<string, number>()
    const epochs = new Promise<readonly (string | null)[]>((resolve, reject) => {
      // After every caller of this tick has asked.
      process.nextTick(() => {
        this.#batch = undefined
        const names = [...tags.keys()].map((tag) => this.#keys.tag(tag))
        this.#redis
          .getAll(names, { operation: 'cache.tags', repeat: true })
          .then(resolve as (epochs: readonly unknown[]) => void, reject)
      })
    })
    return { tags, epochs }
  }

  /** Whether every stamp is still its tag's epoch. A missing epoch is never equal. */
  static fresh(stamps: readonly TagStamp[], epochs: readonly (string | null)[]): boolean {
    return stamps.every(({ epoch }, i) => epoch === epochs[i])
  }

  /** The state at the beginning of a load, for tags that are known before it. */
  async begin(tags: readonly string[], ttlMs?: number): Promise<TagMoment> {
    const reply = await this.#touch(tags, '', ttlMs)
    const [, generation = '0', ...epochs] = reply as readonly string[]
    return { generation, stamps: tags.map((tag, i) => ({ tag, epoch: epochs[i] as string })) }
  }

  /** The stamps of `tags` for a value whose load began at `moment`, or undefined when one of them was invalidated since. */
  async settle(tags: readonly string[], moment: TagMoment, ttlMs?: number): Promise<readonly TagStamp[] | undefined> {
    const [word, , ...epochs] = (await this.#touch(tags, moment.generation, ttlMs)) as readonly string[]
    if (word === 'changed') return undefined
    // The generation is made of time, and a clock may be set back; of tags that were known at the beginning the very epoch is.
    for (const { tag, epoch } of moment.stamps) {
      const at = tags.indexOf(tag)
      if (at >= 0 && epochs[at] !== epoch) return undefined
    }
    return tags.map((tag, i) => ({ tag, epoch: epochs[i] as string }))
  }

  // `ttlMs`: of this very entry, where it was given one of its own.
  #touch(tags: readonly string[], since: string, ttlMs = 0) {
    return touchTagsScript.run(
      this.#redis,
      { generation: this.#keys.generation, tags: this.#tagKeys(tags) },
      { since, nonce: randomId(6), lifeMs: this.#lifeMs + 2 * ttlMs },
      { operation: 'cache.tags', repeat: true },
    )
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    await invalidateTagsScript.run(
      this.#redis,
      { generation: this.#keys.generation, tags: this.#tagKeys(tags) },
      { nonce: randomId(6), lifeMs: this.#lifeMs },
      { operation: 'cache.invalidateTag', repeat: true },
    )
  }

  #tagKeys(tags: readonly string[]): readonly Key[] {
    return tags.map((tag) => this.#keys.tag(tag))
  }
}
