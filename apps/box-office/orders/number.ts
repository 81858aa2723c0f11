import { randomBytes } from 'node:crypto'

/** Crockford's letters: no I, L, O, U, so that a number can be read out over the telephone. */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** An order number: 'BX-7KQ2-M9HT', one of 10^12, and not to be guessed from another. */
export function orderNumber(): string {
  const letters = [...randomBytes(8)].map((byte) => LETTERS[byte & 31]).join('')
  return `BX-${letters.slice(0, 4)}-${letters.slice(4)}`
}

/** The key of one attempt to pay an order. */
export function paymentId(order: string): string {
  return `pay_${order.slice(3).replace('-', '').toLowerCase()}_${randomBytes(6).toString('hex')}`
}

/** A customer nobody knows anything of: letters and digits, not to be guessed. */
export function newCustomerId(): string {
  return `c${randomBytes(12).toString('base64url').replaceAll('_', '0').replaceAll('-', '1')}`
}
