import type { CallOptions } from '../redis/call.ts'
import type { Key } from '../redis/keyspace.ts'

/** Most holds of one renewal: 100 locks take the server 0.3 ms. */
export const MOST_RENEWALS = 100

export interface Renewal {
  readonly key: Key
  readonly token: string
  readonly ttlMs: number
}

/** Whether the renewal `at` this place is still held; undefined where the server could not be asked. */
export type Tell = (at: number, still: boolean | undefined, error?: unknown) => void

export interface Renewer {
  /** One place's answer may come before another's, so each renewal's is told by itself. */
  renew(renewals: readonly Renewal[], timeoutMs: number, tell: Tell): void
}

/** Renewals, and which of those asked for each is. */
type Lot = readonly (Renewal & { readonly at: number })[]

/**
 * Renews many holds by one call.
 *
 * lotsOf  those that may stand in one call
 * run     that call; answers 1 or 0 for each of `holds`, in their order
 */
export const renewerInLots = (
  lotsOf: (renewals: Lot) => readonly Lot[],
  run: (lot: Lot, holds: readonly string[], options: CallOptions) => Promise<readonly [string, ...number[]]>,
): Renewer => ({
  renew: (renewals, timeoutMs, tell) => {
    const options = { operation: 'lock.renew', repeat: true, timeoutMs }
    for (const lot of lotsOf(renewals.map((renewal, at) => ({ ...renewal, at })))) {
      const holds = lot.map(({ token, ttlMs }) => `${token}${ttlMs}`)
      run(lot, holds, options).then(
        ([, ...still]) => lot.forEach(({ at }, i) => void tell(at, still[i] === 1)),
        (error) => lot.forEach(({ at }) => void tell(at, undefined, error)),
      )
    }
  },
})
