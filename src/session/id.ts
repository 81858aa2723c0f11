import { hash } from 'node:crypto'
import { randomId } from '../base/id.ts'

/**
 * An id is 43 letters of base64url: 16 (96 bits) name the session's place, and are its reference; 27 (162 bits) are the secret. Redis
 * keeps the sha-256 of the whole, so that a dump, a slow log or a monitor gives no session away.
 */
const REF_LETTERS = 16
const SECRET_LETTERS = 27

const ID = /^[A-Za-z0-9_-]{43}$/
const REF = /^[A-Za-z0-9_-]{16}$/

export interface KnownId {
  readonly ref: string
  readonly hash: string
}

export const issueId = (): string => randomId(REF_LETTERS + SECRET_LETTERS)

/** Another id for the same session. */
export const reissueId = (ref: string): string => ref + randomId(SECRET_LETTERS)

/** What an id says; undefined where nobody can have issued it. */
export function readId(id: unknown): KnownId | undefined {
  if (typeof id !== 'string' || !ID.test(id)) return undefined
  return { ref: id.slice(0, REF_LETTERS), hash: hash('sha256', id, 'base64url') }
}

export const isRef = (ref: unknown): ref is string => typeof ref === 'string' && REF.test(ref)

/** The reference in an id, or the reference itself. */
export function refIn(idOrRef: unknown): string | undefined {
  if (isRef(idOrRef)) return idOrRef
  return typeof idOrRef === 'string' && ID.test(idOrRef) ? idOrRef.slice(0, REF_LETTERS) : undefined
}
