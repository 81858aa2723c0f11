import { toMs } from '../base/duration.ts'
import { messageOf } from '../base/errors.ts'
import type { JobFailure } from './events.ts'
import type { ResolvedQueue } from './options.ts'

const LONGEST_MESSAGE = 1_000
const LONGEST_STACK = 2_000

/** What was thrown as text, cut to what a reader needs. It may be an error of another realm, or an object that looks like one. */
export function writeFailure(error: unknown): string {
  const { name, stack, code } = Object(error) as Partial<Record<'name' | 'stack' | 'code', unknown>>
  return JSON.stringify({
    name: cut(typeof name === 'string' ? name : 'Error', 100),
    message: cut(messageOf(error), LONGEST_MESSAGE),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), 100) } : {}),
    ...(typeof stack === 'string' ? { stack: cut(stack, LONGEST_STACK) } : {}),
  })
}

/** What was thrown, if one can look at it: a Proxy, revoked say, throws where anybody asks what it is, and would take its job's end along. */
export function legible(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error)
    const { name, message, stack, code } = Object(thrown) as Record<string, unknown>
    void [name, message, stack, code]
    return thrown
  } catch (cause) {
    return new Error(`what was thrown cannot be looked at: ${messageOf(cause)}`)
  }
}

export function readFailure(text: string): JobFailure | undefined {
  return text === '' ? undefined : (JSON.parse(text) as JobFailure)
}

// Half of a pair is no letter that anybody could read.
const cut = (text: string, length: number): string =>
  text.length > length ? text.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '') : text

/** The wait before the next attempt, in ms. */
export function delayBefore(backoff: ResolvedQueue['backoff'], attempts: number, error: unknown): number {
  if (typeof backoff === 'function') {
    const delay = backoff(attempts, error)
    // Neither NaN nor Infinity: a script that has taken the job out of its lane could not put it anywhere.
    return toMs(typeof delay === 'number' ? Math.max(0, delay) : delay, 'backoff', { min: 0 })
  }
  const { baseMs, maxMs, jitter } = backoff
  const span = Math.min(maxMs, baseMs * 2 ** Math.min(attempts - 1, 40))
  return Math.round(span * (1 - jitter * Math.random()))
}
