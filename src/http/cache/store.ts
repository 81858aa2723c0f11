/** All that is asked of a cache: an instance of `hf.cache(...)` is one. */
export interface ResponseStore {
  readonly settings: {
    /** How long anything is kept at most. */
    readonly ttlMs: number
    readonly staleMs: number
    readonly early: number
    readonly load: unknown
    readonly loadMany: unknown
    readonly write: unknown
  }
  peek(id: string): Promise<unknown>
  get(id: string, load: StoreLoad): Promise<unknown>
  refresh(id: string, load: StoreLoad, options: { readonly unless: (value: unknown) => boolean }): Promise<unknown>
  set(id: string, value: unknown): Promise<void>
  delete(id: string): Promise<void>
  invalidateWhere(pattern: string, isMeant: (id: string) => boolean): Promise<number>
  invalidateTag(tag: string | readonly string[]): Promise<void>
}

/** What a loader may say of its value, where the cache has ears for it. */
export interface LoadSays {
  readonly setTtl?: ((ms: number) => void) | undefined
  readonly setTags?: ((tags: readonly string[]) => void) | undefined
}

export type StoreLoad = (id: string, context: LoadSays) => Promise<unknown>
