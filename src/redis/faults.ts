import { ConnectionError, type HoldfastError, ServerError } from '../base/errors.ts'
import { type LinkFault, ReplyFault } from './wire.ts'

/**
 * Answers that say "not now": the command was not carried out, so whatever it was it may be sent again.
 * BUSY: a script runs; LOADING: the server reads its data; the others: a failover or a slot move is under way.
 */
const NOT_NOW = new Set(['BUSY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'READONLY', 'NOREPLICAS'])

export const isNotNow = (fault: ReplyFault): boolean => NOT_NOW.has(fault.prefix)

const AUTH = new Set(['WRONGPASS', 'NOAUTH'])

/** True when trying again by itself will not help: the server is there and does not know us. */
export const isRefusal = (fault: ReplyFault | LinkFault): boolean =>
  fault instanceof ReplyFault && (AUTH.has(fault.prefix) || fault.message.includes('invalid password'))

/** An answer to the handshake that no later attempt will change: no such database, or no right to choose one. */
export const isLasting = (fault: ReplyFault): boolean =>
  fault.prefix === 'NOPERM' || fault.message.includes('DB index is out of range')

/** Of Redis 7.0, and of Redis 7.2 and Valkey. */
const SCRIPT_DENIED = /^ERR (The user executing the script can't|ACL failure in script)/

/** What a server says of a command that its user may not. */
const DENIED = /no permissions to run the '([^']+)' command/

/**
 * The typed error for a server's answer. `needs` says what the operation's room must be allowed to do; `sent`: it answers a repeat, and the answer to
 * the try before it was lost.
 */
export function replyError(operation: string, fault: ReplyFault, needs?: string, sent = false): HoldfastError {
  // What a script may not do comes as a plain ERR.
  const prefix = SCRIPT_DENIED.test(fault.message) ? 'NOPERM' : fault.prefix
  const fields = { reply: prefix, cause: fault }
  switch (prefix) {
    case 'OOM':
      return new ServerError(
        'SERVER_FULL',
        operation,
        sent
          ? 'the server is at maxmemory and refuses the repeat of a write whose answer was lost, so its effect may exist'
          : 'the server is at maxmemory and refuses writes',
        { ...fields, retryable: true, sent },
      )
    case 'NOPERM': {
      const [, command] = DENIED.exec(fault.message) ?? []
      needs ??= command && `+${command}`
      const grant = needs === undefined ? '' : `; its user needs: ${needs}`
      return new ServerError('SERVER_DENIED', operation, `${fault.message}${grant}`, {
        ...fields,
        ...(needs === undefined ? {} : { needs }),
      })
    }
    case 'NOAUTH':
    case 'WRONGPASS':
      return new ConnectionError('AUTH_FAILED', operation, 'the server refused the user name or password', {
        cause: fault,
      })
    default:
      return new ServerError('SERVER_ERROR', operation, fault.message, { ...fields, retryable: isNotNow(fault) })
  }
}

/** What follows for the caller, where that is not that nothing was sent. */
const UNSENT: Readonly<Record<string, string>> = {
  connect: 'is a server running there? `npx holdfast up` starts one for development',
}

/** The typed error for a wire that is away or broke. */
export function linkError(
  operation: string,
  where: string,
  fault: LinkFault | ReplyFault | undefined,
  sent: boolean,
): HoldfastError {
  if (fault !== undefined && isRefusal(fault))
    return new ConnectionError('AUTH_FAILED', operation, `${where} refused the user name or password`, { cause: fault })
  const why = sent
    ? `the connection to ${where} broke with the command under way, so its effect may exist`
    : `no connection to ${where}${fault === undefined ? '' : ` (${fault.message})`}; ${UNSENT[operation] ?? 'it was not sent'}`
  return new ConnectionError('CONNECTION_LOST', operation, why, { sent, cause: fault })
}
