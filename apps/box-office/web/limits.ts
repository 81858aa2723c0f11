/** How often one address may ask what is more than a page: writes, and what programs read. Every answer says how much is left. */

import { getConnInfo } from '@hono/node-server/conninfo'
import type { Holdfast } from 'holdfast'
import { ipKey, type Limiter, rateLimitHeaders, type Turn } from 'holdfast/limit'
import type { Context, MiddlewareHandler } from 'hono'
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

export function limitApi(hf: Holdfast, onRefused: () => void): MiddlewareHandler {
  const limiter = apiLimiter(hf)
  return async (c, next) => {
    const isPage = c.req.method === 'GET' && !wantsJson(c)
    if (isPage || c.req.method === 'HEAD') return next()
    const turn = await limiter.consume(ipKey(addressOf(c)))
    tellLimits(c, turn)
    if (!turn.allowed) {
      onRefused()
      throw tooMany('This is more than one visitor asks for.', turn)
    }
    return next()
  }
}

/** The address of the socket: what a header says of it anybody can write. */
export function addressOf(c: Context): string {
  return getConnInfo(c).remote.address ?? '127.0.0.1'
}

export function tellLimits(c: Context, turn: Turn): void {
  for (const [name, value] of Object.entries(rateLimitHeaders(turn))) c.header(name, value)
}

export function tooMany(why: string, turn: Turn): Refusal {
  return new Refusal('TOO_MANY_REQUESTS', `${why} Please try again in ${soon(turn.retryAfterMs)}.`, {
    retryAfterMs: turn.retryAfterMs,
  })
}

function soon(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1_000))
  if (seconds < 90) return seconds === 1 ? 'a second' : `${seconds} seconds`
  return `${Math.ceil(seconds / 60)} minutes`
}
