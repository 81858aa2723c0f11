/** A request that is answered with "no", and why: thrown anywhere in a route, answered in one place as JSON or as a page. */

export type RefusalCode =
  | 'BAD_REQUEST'
  | 'CARD_INVALID'
  | 'PAYMENT_DECLINED'
  | 'FORBIDDEN_ORIGIN'
  | 'UNKNOWN_HOST'
  | 'NOT_FOUND'
  | 'SEATS_TAKEN'
  | 'TOO_MANY_SEATS'
  | 'HOLD_EXPIRED'
  | 'TOO_LARGE'
  | 'TOO_MANY_REQUESTS'
  | 'NOT_LOGGED_IN'
  | 'TOO_MANY_VIEWERS'
  | 'PAYMENTS_PAUSED'
  | 'SALE_PAUSED'
  | 'SALE_CLOSED'

const STATUS = {
  BAD_REQUEST: 400,
  CARD_INVALID: 400,
  PAYMENT_DECLINED: 402,
  FORBIDDEN_ORIGIN: 403,
  UNKNOWN_HOST: 421,
  NOT_FOUND: 404,
  SEATS_TAKEN: 409,
  TOO_MANY_SEATS: 409,
  HOLD_EXPIRED: 410,
  SALE_CLOSED: 410,
  TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  NOT_LOGGED_IN: 401,
  TOO_MANY_VIEWERS: 503,
  PAYMENTS_PAUSED: 503,
  SALE_PAUSED: 503,
} as const satisfies Record<RefusalCode, number>

export class Refusal extends Error {
  readonly code: RefusalCode
  readonly status: (typeof STATUS)[RefusalCode]
  readonly details: Record<string, unknown>

  constructor(code: RefusalCode, message: string, details: Record<string, unknown> = {}) {
    super(message)
    this.code = code
    this.status = STATUS[code]
    this.details = details
  }
}
