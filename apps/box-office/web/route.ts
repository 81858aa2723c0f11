/** What the routes need, and the small acts that several of them share. */

import type { Breaker, Holdfast } from 'holdfast'
import type { Sessions } from 'holdfast/session'
import type { Context } from 'hono'
import type { Account } from '../accounts/account.ts'
import type { Audience } from '../audience/audience.ts'
import type { Catalogue } from '../catalogue/catalogue.ts'
import type { EventDetail } from '../catalogue/queries.ts'
import type { Figures } from '../figures/figures.ts'
import type { Status } from '../figures/status.ts'
import type { Hub } from '../live/hub.ts'
import type { Near } from '../near/near.ts'
import type { Desk } from '../orders/desk.ts'
import type { Ledger } from '../orders/ledger.ts'
import type { Claim } from '../orders/order.ts'
import type { MoodyBank } from '../payment/moody-bank.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { Reports } from '../reports/reports.ts'
import type { Nights } from '../seating/nights.ts'
import type { Holdings } from './holdings.ts'
import { Refusal } from './refusal.ts'
import type { Sealer } from './seal.ts'
import type { Visitor } from './visitor.ts'

export interface Shop {
  readonly hf: Holdfast
  readonly catalogue: Catalogue
  readonly nights: Nights
  readonly desk: Desk
  readonly ledger: Ledger
  /** Between us and the bank. */
  readonly payments: Breaker
  readonly testBank: MoodyBank
  readonly receipts: Receipts
  readonly reports: Reports
  readonly hub: Hub
  readonly figures: Figures
  readonly sealer: Sealer
  readonly holdings: Holdings
  readonly audience: Audience
  readonly near: Near
  readonly sessions: Sessions<Account>
  /** Signs what browsers carry for us. */
  readonly secret: string
  readonly status: () => Promise<Status>
  /** Aborted when the server stops: streams end then. */
  readonly ending: AbortSignal
}

/** HTML unless JSON was asked for. */
export function wantsJson(c: Context): boolean {
  return (c.req.header('accept') ?? '').includes('application/json')
}

/** `node` as a whole page. */
export function page(c: Context, node: unknown, status: 200 | 400 | 401 | 402 | 429 | 503 = 200): Response {
  return c.html(`<!doctype html>${String(node)}`, status)
}

export async function eventOr404(shop: Shop, id: string): Promise<EventDetail> {
  const event = await shop.catalogue.event(id)
  if (event === undefined) throw new Refusal('NOT_FOUND', 'There is no such event.')
  return event
}

/** A claim travels in an address, sealed: whoever changes it, or is somebody else, holds nothing. */
export function claimUrl(shop: Shop, claim: Claim): string {
  return `/checkout/${shop.sealer.seal('claim', claim)}`
}

export function readClaim(shop: Shop, sealed: string, visitor: Visitor): Claim {
  const claim = shop.sealer.open('claim', sealed) as Claim | undefined
  if (claim === undefined || !visitor.holds(claim)) throw new Refusal('NOT_FOUND', 'These seats are not held by you.')
  return claim
}
