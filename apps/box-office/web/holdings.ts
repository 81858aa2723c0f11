import type { Claim } from '../orders/order.ts'

/** The unpaid seats of each customer, as far as this process gave them out: for the map to show as his own. */
export interface Holdings {
  put(claim: Claim): void
  drop(claim: Claim): void
  find(customer: string, eventId: string): Claim | undefined
}

const MOST_HOLDINGS = 10_000

export function createHoldings(): Holdings {
  const claims = new Map<string, Claim>()
  const keyOf = (customer: string, eventId: string) => `${customer} ${eventId}`
  return {
    put(claim) {
      const key = keyOf(claim.customer, claim.eventId)
      claims.delete(key)
      claims.set(key, claim)
      const oldest = claims.keys().next().value
      if (claims.size > MOST_HOLDINGS && oldest !== undefined) claims.delete(oldest)
    },
    drop(claim) {
      const key = keyOf(claim.customer, claim.eventId)
      if (claims.get(key)?.holdId === claim.holdId) claims.delete(key)
    },
    find(customer, eventId) {
      const claim = claims.get(keyOf(customer, eventId))
      return claim !== undefined && claim.expiresAtMs > Date.now() ? claim : undefined
    },
  }
}
