import { inspect } from 'node:util'
import { HoldfastError, ServerError } from '../base/errors.ts'

/** What a check has measured on its way: `hit 0.05 ms`. */
export interface Figure {
  readonly name: string
  readonly value: number
  /** Such as `ms`; '' for a plain number. */
  readonly unit: string
}

/** Why a check has failed. */
export interface Cross {
  /** A code of the library, or `PROMISE_BROKEN`: every call was answered, and an answer was wrong. */
  readonly code: string
  /** What was looked at, or what the error says. */
  readonly message: string
  /** With `PROMISE_BROKEN`. */
  readonly expected?: string
  readonly received?: string
  /** With `SERVER_DENIED`: what to grant, as an ACL rule. */
  readonly needs?: string
}

interface Checked {
  readonly id: string
  readonly title: string
  /** The promise that was looked at, in words. */
  readonly promise: string
  readonly tookMs: number
}

export type Outcome = Checked &
  (
    | { readonly status: 'tick'; readonly figure: Figure }
    | { readonly status: 'cross'; readonly cross: Cross }
    | { readonly status: 'skipped'; readonly reason: string }
  )

export const PROMISE_BROKEN = 'PROMISE_BROKEN'

/** An answer that breaks a promise: what was looked at, what it should have been, and what it was. */
export class BrokenPromise extends Error {
  readonly expected: string
  readonly received: string

  constructor(what: string, expected: string, received: string) {
    super(what)
    this.expected = expected
    this.received = received
  }
}

/** What a person reads of a value: on one line, and short. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 3, compact: true, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 30 })
  return text.length > 160 ? `${text.slice(0, 159)}…` : text
}

/** An error as the reason of a cross: a code and a line, never a stack. */
export function crossOf(error: unknown): Cross {
  if (error instanceof BrokenPromise) {
    const { message, expected, received } = error
    return { code: PROMISE_BROKEN, message, expected, received }
  }
  if (error instanceof HoldfastError) {
    const { cause } = error
    const below = cause instanceof Error && !error.message.includes(cause.message) ? ` (${cause.message})` : ''
    if (error instanceof ServerError && error.needs !== undefined) {
      const { code, needs } = error
      return { code, message: error.message.replace(`; its user needs: ${needs}`, ''), needs }
    }
    return { code: error.code, message: `${error.message}${below}` }
  }
  return { code: 'ERROR', message: error instanceof Error ? `${error.name}: ${error.message}` : shown(error) }
}
