/**
 * What every request passes: the answer is for this host alone, carries the headers that keep a browser careful, and
 * nothing is written on behalf of another site.
 */

import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { Refusal } from './refusal.ts'

const LARGEST_BODY = 16 * 1024

const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(self), microphone=(), payment=()',
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const

export const headers: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(HEADERS)) c.header(name, value)
  // Pages show what is yours; only files say otherwise.
  if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store')
}

/** We answer on loopback only. Another name in `Host` is a page elsewhere whose name was pointed at us. */
export const ownHost: MiddlewareHandler = async (c, next) => {
  const name = new URL(c.req.url).hostname
  if (name !== '127.0.0.1' && name !== 'localhost' && name !== '[::1]')
    throw new Refusal('UNKNOWN_HOST', `This box office does not answer for ${name}.`)
  await next()
}

/** A write comes from our own pages: the browser says so itself, in headers that no page can set. */
export const ownOrigin: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return next()
  const origin = c.req.header('origin')
  const site = c.req.header('sec-fetch-site')
  const ours = new URL(c.req.url).origin
  if (origin === undefined && site === undefined)
    throw new Refusal('FORBIDDEN_ORIGIN', 'A write must carry an Origin header.')
  if (origin !== undefined && origin !== ours)
    throw new Refusal('FORBIDDEN_ORIGIN', 'Writes are taken from our own pages only.')
  if (site !== undefined && site !== 'same-origin')
    throw new Refusal('FORBIDDEN_ORIGIN', 'Writes are taken from our own pages only.')
  return next()
}

export const smallBody: MiddlewareHandler = bodyLimit({
  maxSize: LARGEST_BODY,
  onError: () => {
    throw new Refusal('TOO_LARGE', `A request may have ${LARGEST_BODY / 1024} KiB.`)
  },
})
