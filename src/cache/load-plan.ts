import type { TagStamp } from './frame.ts'
import type { LoadContext } from './load-context.ts'
import type { TagMoment } from './tags.ts'

/** How one id is to be loaded, by the cache's own loader or by the call's. */
export interface LoadPlan {
  readonly load: (context: LoadContext) => unknown
  /** The loader as it was given: what it may do is guessed by its text. */
  readonly loader: unknown
  readonly ttlMs: number | undefined
  readonly tags: readonly string[]
}

/** Why and how a flight is launched. */
export interface FlightPlan {
  /** A value is being served meanwhile. */
  readonly behind: boolean
  /** Nobody has looked in Redis yet. */
  readonly look: boolean
  /** Of a value that is to be refreshed: when it turns stale, in ms of the server's clock. */
  readonly due?: number
  /** It is not stale yet: one process refreshes it, and the others leave it alone. */
  readonly early?: boolean
  /** Somebody waits for a fresh value though there is a stale one. */
  readonly awaited?: boolean
  /** What is there is to be replaced, unless this says that it will do. */
  readonly accept?: (value: unknown) => boolean
}

/** An entry that may be served, and what is to be kept of it when it is renewed. */
export interface Present {
  readonly value: unknown
  readonly stale: boolean
  readonly staleAtMs: number
  readonly tags: readonly TagStamp[]
}

/** What a load is granted, and what was there then. */
export interface Lease {
  readonly token: string
  readonly askedMs: number
  /** Marked before it was asked for. */
  readonly readMoment: number
  readonly moment: TagMoment | undefined
  readonly present: Present | undefined
}

/**
 * Whether a loader is likely to give tags. A wrong guess never makes a value be served too long: a tag too few, and what that very load
 * brings is not kept; a tag too many costs a script more.
 */
export const mentionsTags = (loader: unknown): boolean =>
  typeof loader === 'function' && String(loader).includes('setTags')
