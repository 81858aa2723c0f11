import { toMs } from '../base/duration.ts'
import type { ResolvedQueue } from './options.ts'

/** What is kept of an error whose job is dead. */
export interface JobFailure {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
}

const LONGEST_MESSAGE = 1_000
const LONGEST_STACK = 2_000

/** An error as text, cut to what a reader needs. */
export function writeFailure(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify({ name: 'Error', message: cut(String(error), LONGEST_MESSAGE) })
  const { name, message, stack } = error
  const code = (error as { code?: unknown }).code
  return JSON.stringify({
    name: cut(String(name), 100),
    message: cut(String(message), LONGEST_MESSAGE),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), 100) } : {}),
    ...(typeof stack === 'string' ? { stack: cut(stack, LONGEST_STACK) } : {}),
  })
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
    return typeof delay === 'number' ? Math.max(0, Math.round(delay)) : toMs(delay, 'backoff', { min: 0 })
  }
  const { baseMs, maxMs, jitter } = backoff
  const span = Math.min(maxMs, baseMs * 2 ** Math.min(attempts - 1, 40))
  return Math.round(span * (1 - jitter * Math.random()))
}
