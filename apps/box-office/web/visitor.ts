/** Who is asking: the account of his session, when he is logged in, and the browser, known by a signed random cookie and nothing else. */

import type { Holdfast } from 'holdfast'
import { type SessionVisit, withSession } from 'holdfast/hono'
import type { Sessions } from 'holdfast/session'
import type { Context, MiddlewareHandler } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import type { Account } from '../accounts/account.ts'
import { newCustomerId } from '../orders/number.ts'
import type { Claim, Order } from '../orders/order.ts'
import type { Sealer } from './seal.ts'

const COOKIE = 'box_office_customer'
const MAX_AGE_S = 400 * 86_400

/** A shop is logged in to for a season, and a device that is not used for a week is forgotten. */
const LIFE = { name: 'customers', idle: '7d', absolute: '90d' } as const

export function accountSessions(hf: Holdfast): Sessions<Account> {
  return hf.sessions<Account>(LIFE)
}

/** Gives each request its session, of which nothing is asked until a route wants it; the cookie goes out with whatever answers it. */
export function visits(sessions: Sessions<Account>, secret: string): MiddlewareHandler {
  // This shop answers on loopback, without TLS: behind HTTPS, leave out `plainHttp` and the name.
  const cookie = { keys: secret, name: 'box_office_session', maxAge: LIFE.absolute, plainHttp: true }
  return withSession(sessions, cookie)
}

export function visitOf(c: Context): SessionVisit<Account> {
  return c.get('session')
}

export interface Visitor {
  /** The account that he is logged in to. */
  readonly account: { readonly id: string; readonly email: string } | undefined
  /** This browser, if it was here before. */
  readonly browser: string | undefined
  /** Seats that were held before he logged in are his still. */
  holds(claim: Claim): boolean
  /** What was bought by an account is shown to nobody who is not logged in to it, in whichever browser. */
  owns(order: Order): boolean
}

export async function visitorOf(c: Context, sealer: Sealer): Promise<Visitor> {
  const session = await visitOf(c).load()
  const account = session?.userId === undefined ? undefined : { id: session.userId, email: session.data.email }
  const browser = knownBrowser(c, sealer)
  return {
    account,
    browser,
    holds: ({ customer }) => customer === account?.id || customer === browser,
    owns: (order) => (order.account === null ? order.customer === browser : order.account === account?.id),
  }
}

/** In whose name seats are held: the account's, so that it may have so many seats of a night and no more, or the browser's. */
export function customerOf(c: Context, sealer: Sealer, visitor: Visitor): string {
  return visitor.account?.id ?? visitor.browser ?? welcome(c, sealer)
}

/** The browser, if it was here before. */
export function knownBrowser(c: Context, sealer: Sealer): string | undefined {
  const cookie = getCookie(c, COOKIE)
  const id = cookie === undefined ? undefined : sealer.open('customer', cookie)
  return typeof id === 'string' ? id : undefined
}

function welcome(c: Context, sealer: Sealer): string {
  const id = newCustomerId()
  setCookie(c, COOKIE, sealer.seal('customer', id), {
    httpOnly: true,
    sameSite: 'Lax',
    path: '/',
    maxAge: MAX_AGE_S,
  })
  return id
}
