import type { Due } from './deadline.ts'
import type { Key } from './keyspace.ts'
import type { Arg, LinkFault, Reply, ReplyFault, Wire } from './wire.ts'

export interface CallOptions {
  /** What the caller is doing, for errors: `cache.get`. */
  readonly operation: string
  /**
   * Safe to carry out twice: a read, or a write that carries an id of ours. Such a call is sent again, until its deadline,
   * when the connection broke with it under way; any other rejects then, with `sent: true`.
   */
  readonly repeat: boolean
  /** Replies as bytes rather than text. Default false. */
  readonly bytes?: boolean
  /** Deadline in ms. Default: the instance's `timeout`. */
  readonly timeoutMs?: number
  /** What the server's user must be allowed to do, for SERVER_DENIED. */
  readonly needs?: string
  /** The text of the script whose hash an EVALSHA names, for a server that does not know it. It has done nothing then. */
  readonly script?: string
  /** May be answered by a replica, which may be behind. Where there is none, or it fails, the primary answers. Default primary. */
  readonly readFrom?: 'primary' | 'replica'
}

/** One server, as a call sees it. */
export interface Place {
  readonly address: string
  /** Sends the call, or keeps it until there is a connection. */
  take(call: Call, nowMs: number): void
  /** What a call was refused for is the socket's fault: no other call may be sent on it. */
  drop(wire: Wire): void
  /** A call that was sent here has been answered, or its socket has ended. */
  left(): void
  /** A call's deadline passed while it was under way here. */
  overdue(call: Call, nowMs: number): void
}

/** Who decides to which server a call goes, each time that it is sent. */
export interface Router {
  /** The server for it now; undefined while nobody knows. */
  placeOf(call: Call): Place | undefined
  /** How long nobody has known where the call belongs, in ms, and why. */
  blindness(nowMs: number, call?: Call): { readonly forMs: number; readonly fault: LinkFault | ReplyFault | undefined }
  /** A server answered that the call belongs elsewhere (MOVED, ASK). False where such an answer means nothing. */
  redirect(call: Call, fault: ReplyFault, from: Place): boolean
  /** A server broke, or said that it cannot do its part now: somebody else may have taken its place. */
  troubled(from: Place, fault: LinkFault | ReplyFault): void
  /** Why that server cannot do its part now, as far as is known beyond its answer: `is a read-only replica`. */
  excuse?(from: Place): string | undefined
  /**
   * An answer came from a server that may have had no right to give it by then. True: whoever says so sees to the call's end. Left out
   * where servers themselves refuse what is not theirs any more.
   */
  doubts?(call: Call, from: Place, reply: Reply): boolean
}

/** Who looks after a call from its start to its end. */
export interface Desk {
  onAnswer(call: Call, reply: Reply): void
  onFault(call: Call, error: unknown): void
  onExpired(call: Call): void
}

/** One command on its way, through as many servers and attempts as its deadline allows. */
export class Call implements Due {
  readonly desk: Desk
  readonly router: Router
  readonly key: Key | undefined
  command: string
  args: readonly Arg[]
  readonly options: CallOptions
  readonly timeoutMs: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  readonly answer: (reply: Reply) => void
  readonly refuse: (error: unknown) => void
  dueMs = 0
  previous: Due | undefined = undefined
  next: Due | undefined = undefined
  sentMs = 0
  settled = false
  /** An attempt left and was not refused: the effect may exist. */
  everSent = false
  repeats = 0
  redirects = 0
  /** Where it is under way, and on which socket; undefined while it waits. */
  place: Place | undefined = undefined
  wire: Wire | undefined = undefined
  /** Those it waits with, for a connection or for news. */
  lot: Set<Call> | undefined = undefined
  /** The server of an ASK: for one attempt, which begins with ASKING. */
  asked: Place | undefined = undefined
  /** A replica failed it: from now on the primary alone. */
  primaryOnly = false
  lastFault: ReplyFault | LinkFault | undefined = undefined
  /** Who answered "not now" last. */
  refuser: Place | undefined = undefined
  /** An answer that has come already and could become a better one: it stands where otherwise the call would fail. */
  fallback: Reply | undefined = undefined

  constructor(
    desk: Desk,
    router: Router,
    key: Key | undefined,
    command: string,
    args: readonly Arg[],
    options: CallOptions,
    timeoutMs: number,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
  ) {
    this.desk = desk
    this.router = router
    this.key = key
    this.command = command
    this.args = args
    this.options = options
    this.timeoutMs = timeoutMs
    this.resolve = resolve
    this.reject = reject
    this.answer = (reply) => desk.onAnswer(this, reply)
    this.refuse = (error) => desk.onFault(this, error)
  }

  expire(): void {
    this.desk.onExpired(this)
  }
}
