import { ConfigError, ConnectionError, TimeoutError } from '../../base/errors.ts'
import { linkError, replyError } from '../faults.ts'
import { type Arg, LinkFault, type Reply, ReplyFault } from '../wire.ts'
import type { Own } from './node-pool.ts'

const CALL = 'pool.call'

/** After these a connection would not be what the next one expects. It is closed; opening another takes a round trip or two. */
const LEAVES_A_MARK = new Set([
  ...['SELECT', 'AUTH', 'RESET', 'QUIT', 'READONLY', 'READWRITE', 'ASKING', 'REPLCONF'],
  ...['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE'],
])
/** Of CLIENT these leave none; any other may. */
const CLIENT_LOOKS = new Set(
  ['ID', 'INFO', 'LIST', 'GETNAME', 'GETREDIR', 'TRACKINGINFO', 'KILL', 'UNBLOCK', 'PAUSE'].concat('UNPAUSE', 'HELP'),
)
/** After these nobody could tell which answer belongs to which command. */
const TAKES_ANSWERS_AWAY = new Set(['MONITOR', 'SYNC', 'PSYNC', 'HELLO'])

/** What the commands so far have left behind on a connection. */
class Traces {
  #inTransaction = false
  #isWatching = false
  #isMarked = false

  get none(): boolean {
    return !this.#inTransaction && !this.#isWatching && !this.#isMarked
  }

  sent(verb: string, args: readonly Arg[]): void {
    if (verb === 'MULTI') this.#inTransaction = true
    else if (verb === 'WATCH') this.#isWatching = true
    else if (verb === 'CLIENT') this.#isMarked ||= !CLIENT_LOOKS.has(String(args[0]).toUpperCase())
    else if (LEAVES_A_MARK.has(verb)) this.#isMarked = true
  }

  answered(verb: string, isQueued: boolean): void {
    if (isQueued) return
    if (verb === 'EXEC' || verb === 'DISCARD') this.#inTransaction = false
    if (verb === 'EXEC' || verb === 'DISCARD' || verb === 'UNWATCH') this.#isWatching = false
  }

  refused(verb: string, fault: ReplyFault): void {
    if (verb === 'EXEC' && fault.prefix === 'EXECABORT') this.answered(verb, false)
    // The server is not what it was when this connection was opened.
    if (fault.prefix === 'READONLY' || fault.prefix === 'NOAUTH') this.#isMarked = true
  }
}

export interface Borrowing {
  readonly address: string
  /** Deadline of each command, beyond the time for which it asks to be blocked. */
  readonly timeoutMs: number
  readonly bytes: boolean
  readonly signal: AbortSignal | undefined
  /** A server said that it is not the one to ask, or broke. */
  troubled(fault: ReplyFault | LinkFault): void
}

/** A connection that nobody else uses for as long as its user's function runs. */
export class OwnConnection {
  readonly #own: Own
  readonly #borrowing: Borrowing
  readonly #traces = new Traces()
  readonly #ended = new AbortController()
  readonly #fail = new Set<(error: unknown) => void>()
  #isBroken = false

  /** @internal */
  constructor(own: Own, borrowing: Borrowing) {
    this.#own = own
    this.#borrowing = borrowing
    own.lost = (why) => {
      const { address } = borrowing
      this.#break(why instanceof LinkFault ? linkError(CALL, address, why, this.#fail.size > 0) : why)
    }
    borrowing.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Fires when the connection is lost: with the signal that `use` was given, when the socket ends, or when `close()` waits no more. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /**
   * Sends a command on this very connection, and answers what the server answers: WATCH, MULTI and EXEC, blocking commands.
   *
   * throws  TIMEOUT after the instance's `timeout`, beyond the time a blocking command asks for; CONNECTION_LOST; SERVER_ERROR with
   *         the server's word in `reply`: MOVED and READONLY are told, not followed; ConfigError for what takes the answers away
   *         (MONITOR, SYNC, HELLO, CLIENT REPLY)
   */
  call(command: string, ...args: Arg[]): Promise<Reply> {
    return this.#call(0, command, args)
  }

  /** @internal A command that is sent behind one that blocks for so long: the server carries it out in the moment that one ends. */
  callBehind(blockedForMs: number, command: string, args: readonly Arg[]): Promise<Reply> {
    return this.#call(blockedForMs, command, args)
  }

  #call(behindMs: number, command: string, args: readonly Arg[]): Promise<Reply> {
    const refusal = this.#refusal(command, args)
    if (refusal !== undefined) return Promise.reject(refusal)
    const verb = command.toUpperCase()
    const { wire } = this.#own
    const { address, timeoutMs, bytes, troubled } = this.#borrowing
    this.#traces.sent(verb, args)
    return new Promise((resolve, reject) => {
      const limitMs = timeoutMs + behindMs + blockedMs(verb, args)
      const settle = () => {
        clearTimeout(timer)
        return this.#fail.delete(fail)
      }
      const fail = (error: unknown) => {
        if (settle()) reject(error)
      }
      const late = () => this.#break(new TimeoutError(CALL, limitMs, true))
      const timer = Number.isFinite(limitMs) ? setTimeout(late, limitMs) : undefined
      this.#fail.add(fail)
      // The client takes replies to these for what they are by their names in small letters alone.
      wire.send(verb.endsWith('SUBSCRIBE') ? verb.toLowerCase() : command, args, bytes).then(
        (reply) => {
          if (!settle()) return
          this.#traces.answered(verb, String(reply) === 'QUEUED')
          resolve(reply)
        },
        (error) => {
          if (!settle()) return
          const fault = wire.fault(error)
          if (fault instanceof ReplyFault) {
            this.#traces.refused(verb, fault)
            if (fault.prefix === 'MOVED' || fault.prefix === 'READONLY') troubled(fault)
            return reject(replyError(CALL, fault))
          }
          troubled(fault)
          reject(linkError(CALL, address, fault, fault.sent))
          this.#break(linkError(CALL, address, fault, fault.sent))
        },
      )
    })
  }

  #refusal(command: unknown, args: readonly Arg[]): unknown {
    if (this.signal.aborted) return this.signal.reason
    if (typeof command !== 'string' || command === '')
      return new ConfigError('command', 'the name of a command', command)
    const verb = command.toUpperCase()
    const takesAway = TAKES_ANSWERS_AWAY.has(verb) && (verb !== 'HELLO' || args.length > 0)
    if (takesAway || (verb === 'CLIENT' && String(args[0]).toUpperCase() === 'REPLY'))
      return new ConfigError('command', 'one after which each command still has an answer of its own', command)
    const wrong = args.findIndex((arg) => !isArg(arg))
    // It would be sent as [object Object], or as a list of words that nobody counted.
    if (wrong >= 0) return new ConfigError(`args[${wrong}]`, 'a string, a number or a Buffer', args[wrong])
    return undefined
  }

  readonly #onAbort = () => this.#break(this.#borrowing.signal?.reason)

  /** Nothing is sent any more, and what is under way fails. */
  #break(error: unknown): void {
    if (this.signal.aborted) return
    this.#isBroken = true
    for (const fail of this.#fail) fail(error)
    this.#ended.abort(error)
  }

  /** Its user is done with it. True when it is as it was: the next one may have it. */
  end(): boolean {
    this.#own.lost = undefined
    this.#borrowing.signal?.removeEventListener('abort', this.#onAbort)
    const isClean = !this.#isBroken && this.#own.usable && this.#fail.size === 0 && this.#traces.none
    this.#break(new ConnectionError('CONNECTION_CLOSED', CALL, 'the connection was given back'))
    return isClean
  }
}

const isArg = (arg: unknown): boolean => typeof arg === 'string' || typeof arg === 'number' || Buffer.isBuffer(arg)

/** For how long a command asks to be blocked, in ms; infinite for ever, 0 for one that does not block. */
function blockedMs(verb: string, args: readonly Arg[]): number {
  switch (verb) {
    case 'BLPOP':
    case 'BRPOP':
    case 'BRPOPLPUSH':
    case 'BLMOVE':
    case 'BZPOPMIN':
    case 'BZPOPMAX':
      return orForEver(Number(args.at(-1)) * 1_000)
    case 'BLMPOP':
    case 'BZMPOP':
      return orForEver(Number(args[0]) * 1_000)
    case 'WAIT':
    case 'WAITAOF':
      return orForEver(Number(args.at(-1)))
    case 'XREAD':
    case 'XREADGROUP': {
      const at = args.findIndex((arg) => String(arg).toUpperCase() === 'BLOCK')
      return at < 0 ? 0 : orForEver(Number(args[at + 1]))
    }
    default:
      return 0
  }
}

const orForEver = (ms: number): number => (ms === 0 ? Number.POSITIVE_INFINITY : ms > 0 ? ms : 0)
