import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { TagStamp } from './frame.ts'
import type { CacheKeys } from './keys.ts'
import { invalidateTagsScript, touchTagsScript } from './lua.generated.ts'

/** How many ids' tags are remembered, to read epochs along with the entry. */
const MOST_HINTS = 20_000

const READ_OPTIONS = { operation: 'cache.tags', repeat: true } as const

/** The tags' state when a load began: what it must be compared with when the load has ended. */
export interface TagMoment {
  readonly generation: string
  readonly stamps: readonly TagStamp[]
}

/** Epochs as they are on the server, for all who ask in one tick: each tag's place among them. */
export interface TagReading {
  readonly places: Map<string, number>
  readonly epochs: Promise<readonly (string | null)[]>
}

/**
 * Tags as epochs: an entry carries the epoch that each of its tags had when its load began, and is fresh while they still have it.
 * Invalidating a tag gives it a new epoch, at one price for one entry or a million.
 */
export class TagTable {
  readonly #redis: Redis
  readonly #keys: CacheKeys
  readonly #lifeMs: number
  readonly #hints = new Map<string, readonly TagStamp[]>()
  #batch: TagReading | undefined

  /** `lifeMs`: how long an epoch must live, longer than any entry that may carry it. */
  constructor(redis: Redis, keys: CacheKeys, lifeMs: number) {
    this.#redis = redis
    this.#keys = keys
    this.#lifeMs = lifeMs
  }

  /** The tags that the entry of `id` had when it was last seen here; a guess that saves a round trip. */
  hint(id: string): readonly TagStamp[] | undefined {
    return this.#hints.size === 0 ? undefined : this.#hints.get(id)
  }

  remember(id: string, stamps: readonly TagStamp[]): void {
    if (stamps.length === 0) return void this.#hints.delete(id)
    if (this.#hints.size >= MOST_HINTS) this.#hints.delete(this.#hints.keys().next().value as string)
    this.#hints.set(id, stamps)
  }

  /** The epochs of these tags as they are from now on. All that is asked for in one tick is one command. */
  read(stamps: readonly { readonly tag: string }[]): TagReading {
    this.#batch ??= this.#openBatch()
    const { places } = this.#batch
    for (const { tag } of stamps) if (!places.has(tag)) places.set(tag, places.size)
    return this.#batch
  }

  #openBatch(): TagReading {
    const places = new Map<string, number>()
    const epochs = new Promise<readonly (string | null)[]>((resolve, reject) => {
      // After every caller of this tick has asked. Measured: smaller lots overlap more with the server's work and cost more of ours.
      process.nextTick(() => {
        this.#batch = undefined
        const names = [...places.keys()].map((tag) => this.#keys.tag(tag))
        this.#redis.getAll(names, READ_OPTIONS).then(resolve as (epochs: readonly unknown[]) => void, reject)
      })
    })
    // Whoever needs them awaits them; an entry that is not there needs none.
    epochs.catch(() => {})
    return { places, epochs }
  }

  /** Whether every stamp still is its tag's epoch. A missing epoch is never equal. */
  static async fresh(stamps: readonly TagStamp[], { places, epochs }: TagReading): Promise<boolean> {
    return TagTable.match(stamps, places, await epochs)
  }

  static match(
    stamps: readonly TagStamp[],
    places: ReadonlyMap<string, number>,
    epochs: readonly (string | null)[],
  ): boolean {
    for (const { tag, epoch } of stamps) if (epochs[places.get(tag) as number] !== epoch) return false
    return true
  }

  /** Each tag of an entry, and whether it still has its epoch. */
  async compare(stamps: readonly TagStamp[]): Promise<readonly { readonly tag: string; readonly stands: boolean }[]> {
    if (stamps.length === 0) return []
    const { places, epochs } = this.read(stamps)
    const now = await epochs
    return stamps.map(({ tag, epoch }) => ({ tag, stands: now[places.get(tag) as number] === epoch }))
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
