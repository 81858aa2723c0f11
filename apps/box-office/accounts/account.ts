/**
 * Who may log in: anybody with an address and the demonstration's password, which the page itself tells. A shop that is real checks
 * a password of each account here, slowly hashed; all around it stays as it is.
 */

import { createHash, timingSafeEqual } from 'node:crypto'

/** What a session holds, beside its user's id. */
export interface Account {
  readonly email: string
}

export const DEMONSTRATION_PASSWORD = 'encore'

export interface LoginInput {
  readonly email: string
  readonly password: string
}

export type LoginProblem = { readonly field: keyof LoginInput; readonly message: string }

const LONGEST_EMAIL = 254

/** The address as it is compared and shown, or what is wrong with what was typed. */
export function readEmail(typed: string): string | LoginProblem {
  const email = typed.trim().toLowerCase()
  if (email.length > LONGEST_EMAIL || !/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+\.[^\s@\p{Cc}]+$/u.test(email))
    return { field: 'email', message: 'Write an e-mail address, such as ann@example.com.' }
  return email
}

/** Takes as long for a guess that is nearly right as for any other. */
export function isPassword(typed: string): boolean {
  return timingSafeEqual(digest(typed), digest(DEMONSTRATION_PASSWORD))
}

/** An account's id: it stands in orders and in names of keys, and tells no address. */
export function accountId(email: string): string {
  return `a${digest(email).toString('hex').slice(0, 24)}`
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
