import type { Context } from 'hono'
import { ErrorPage } from '../pages/layout.tsx'
import type { Refusal } from './refusal.ts'
import { wantsJson } from './route.ts'

const TITLES: Partial<Record<Refusal['code'], string>> = {
  NOT_FOUND: 'Not found',
  HOLD_EXPIRED: 'Your time ran out',
  SEATS_TAKEN: 'Somebody was quicker',
  TOO_MANY_SEATS: 'Too many seats',
  SALE_PAUSED: 'Just a moment',
  PAYMENTS_PAUSED: 'Payments are paused',
  SALE_CLOSED: 'Too late',
  FORBIDDEN_ORIGIN: 'Not from here',
  TOO_MANY_REQUESTS: 'Not so fast',
  NOT_LOGGED_IN: 'Log in first',
}

/** A refusal as JSON or as a page, whichever was asked for. */
export function refused(c: Context, refusal: Refusal): Response {
  const { code, message, details, status } = refusal
  if (wantsJson(c)) return c.json({ error: { code, message, ...details } }, status)
  const { back } = details
  const link = typeof back === 'string' ? { back } : {}
  const page = <ErrorPage title={TITLES[code] ?? 'That did not work'} message={message} {...link} />
  return c.html(`<!doctype html>${String(page)}`, status)
}
