/** Who is asking: an anonymous customer, known by a signed random cookie and nothing else. */

import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { newCustomerId } from '../orders/number.ts'
import type { Sealer } from './seal.ts'

const COOKIE = 'box_office_customer'
const MAX_AGE_S = 400 * 86_400

/** The customer of this browser; a new one gets a cookie with the answer. */
export function customerOf(c: Context, sealer: Sealer): string {
  return knownCustomer(c, sealer) ?? welcome(c, sealer)
}

export function knownCustomer(c: Context, sealer: Sealer): string | undefined {
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
