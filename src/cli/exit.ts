import { ConfigError, HoldfastError } from '../base/errors.ts'

/** What the program ends with: stable, for scripts. */
export const EXIT = {
  ok: 0,
  /** A check that failed, or an error while it ran. */
  failed: 1,
  /** An option or argument that is wrong. */
  usage: 2,
  /** No server answers, or none lets us in. */
  unreachable: 3,
  /** Not done: it needs `--yes`, or would lose data or service. */
  refused: 4,
  /** Done in part. */
  partial: 5,
  interrupted: 130,
} as const

export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.usage
  if (error instanceof Interrupted) return EXIT.interrupted
  if (!(error instanceof HoldfastError)) return EXIT.failed
  switch (error.code) {
    case 'CONNECTION_LOST':
    case 'CONNECTION_CLOSED':
    case 'AUTH_FAILED':
    case 'SERVER_UNFIT':
    case 'NO_SERVER':
      return EXIT.unreachable
    case 'TIMEOUT':
      // What was asked for is not there yet, or a server that took the connection says nothing.
      return 'missing' in error ? EXIT.failed : EXIT.unreachable
    case 'CHANGE_REFUSED':
      return EXIT.refused
    case 'CHANGE_UNFINISHED':
      return EXIT.partial
    default:
      return EXIT.failed
  }
}

/** Ctrl-C, or a SIGTERM. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted')
  }
}

/** What a person reads of an error: an expected one in a line, any other whole. */
export function explain(error: unknown): string {
  if (error instanceof HoldfastError) {
    const { cause } = error
    // What the server or the socket said, where the message does not repeat it.
    const below = cause instanceof Error && !error.message.includes(cause.message) ? ` (${cause.message})` : ''
    return `${error.code}: ${error.message}${below}`
  }
  if (error instanceof Interrupted) return 'Interrupted.'
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
