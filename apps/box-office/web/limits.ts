/** How often one address may ask what is more than a page, and how often one may try to log in. Every answer says how much is left. */

import type { Holdfast } from 'holdfast'
import { limitRequests } from 'holdfast/hono'
import type { Limiter, Turn } from 'holdfast/limit'
import type { Context, MiddlewareHandler } from 'hono'
import { accountId, readEmail } from '../accounts/account.ts'
import { Refusal } from './refusal.ts'
import { wantsJson } from './route.ts'

/** Thirty a second, and as many as ten seconds give at once. Who goes on all day is a program, and has its hours counted. */
export function apiLimiter(hf: Holdfast): Limiter {
  return hf.limiter('api', {
    rules: [
      { name: 'burst', limit: 300, per: '10s' },
      { name: 'hour', limit: 20_000, per: '1h', algorithm: 'fixed' },
    ],
    // Without Redis nothing can be bought; what can still be looked at is not refused for want of a counter.
    whenDown: 'local',
    rememberRefusals: true,
  })
}

/** What is answered to who is refused. */
type Refuse = (c: Context, refusal: Refusal) => Response | Promise<Response>

/** Writes, and what programs read. */
export function limitApi(hf: Holdfast, refuse: Refuse): MiddlewareHandler {
  return limitRequests(apiLimiter(hf), {
    skip: (c) => c.req.method === 'HEAD' || (c.req.method === 'GET' && !wantsJson(c)),
    refuse: (c, turn) => refuse(c, tooMany('This is more than one visitor asks for.', turn)),
  })
}

/**
 * Few tries for an account, from wherever it is tried, and some more from one address, whichever accounts it tries: a household logs in from
 * one. A right password does not count for its account, so its owner meets the limit only behind somebody who guesses.
 */
export function limitLogins(hf: Holdfast, refuse: Refuse): [MiddlewareHandler, MiddlewareHandler] {
  const address = hf.limiter('login-address', { rules: [{ name: 'address', limit: 30, per: '10m' }] })
  const account = hf.limiter('login-account', { rules: [{ name: 'account', limit: 5, per: '5m' }] })
  const answer = (c: Context, turn: Turn) => refuse(c, tooMany('There were too many tries to log in.', turn))
  return [
    limitRequests(address, { refuse: answer }),
    limitRequests(account, {
      skip: async (c) => typeof (await emailOf(c)) !== 'string',
      key: async (c) => accountId(String(await emailOf(c))),
      refundIf: ({ status }) => status < 400,
      refuse: answer,
    }),
  ]
}

async function emailOf(c: Context) {
  const { email } = await c.req.parseBody()
  return readEmail(typeof email === 'string' ? email : '')
}

function tooMany(why: string, turn: Turn): Refusal {
  return new Refusal('TOO_MANY_REQUESTS', `${why} Please try again in ${soon(turn.retryAfterMs)}.`, {
    retryAfterMs: turn.retryAfterMs,
  })
}

function soon(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1_000))
  if (seconds < 90) return seconds === 1 ? 'a second' : `${seconds} seconds`
  return `${Math.ceil(seconds / 60)} minutes`
}
