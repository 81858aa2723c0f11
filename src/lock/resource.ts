import type { Key } from '../redis/keyspace.ts'
import type { Renewer } from './renewer.ts'

/** A lock's key outlives its lease by so much, for the last fence. The scripts keep the same. */
export const KEEP_MS = 3_600_000

/** Who wants a resource, and for how long. */
export interface Request {
  /** 22 letters, of this request alone: makes every call for it safe to repeat. */
  readonly token: string
  readonly ttlMs: number
  readonly owner: string
  /** How many permits; of a lock there is one. */
  readonly permits: number
}

export type AcquireReply =
  | { readonly word: 'held'; readonly fence: bigint; readonly nowMs: number }
  | { readonly word: 'queued'; readonly leftMs: number; readonly nowMs: number }
  | { readonly word: 'taken' }
  | { readonly word: 'crowded' }

export interface BeatReply {
  /** How long until a lease may end, at most. 0: nobody holds it. */
  readonly leftMs: number
  /** The server's clock. */
  readonly nowMs: number
  /** Tokens that are not in line: they hold it, or were passed over. */
  readonly missing: readonly string[]
}

/** Something in Redis that is held under a token for a while. */
export interface Holdable {
  readonly key: Key
  /** As the user named it. */
  readonly name: string
  /** What renews holds of it. One for all resources whose holds can be renewed in one call. */
  readonly renewer: Renewer
  release(token: string): Promise<'released' | 'left' | 'gone'>
}

/** And waited for in line. */
export interface Resource extends Holdable {
  /** `patienceMs` 0: does not wait. */
  acquire(request: Request, patienceMs: number): Promise<AcquireReply>
  beat(tokens: readonly string[], patienceMs: number): Promise<BeatReply>
  /** Takes it away from all who hold it; false when nobody did. */
  releaseForced(): Promise<boolean>
}

/** How each is called; a token makes what carries one safe to repeat. */
export const CALLS = {
  acquire: { operation: 'lock.acquire', repeat: true },
  release: { operation: 'lock.release', repeat: true },
  beat: { operation: 'lock.wait', repeat: true },
  releaseForced: { operation: 'lock.forceRelease', repeat: false },
} as const

/** An answer of the scripts that acquire, which differ in what they say of others alone. */
export function readAcquired(
  reply:
    | readonly ['held', string, number]
    | readonly ['queued', number, number]
    | readonly ['taken' | 'crowded', ...unknown[]],
): AcquireReply {
  switch (reply[0]) {
    case 'held':
      return { word: 'held', fence: BigInt(reply[1]), nowMs: reply[2] }
    case 'queued':
      return { word: 'queued', leftMs: reply[1], nowMs: reply[2] }
    default:
      return { word: reply[0] }
  }
}
