/**
 * Errors are broken promises; an expected "no" is a value. Every error has a stable `code`
 * (the message may change in any version, a code only in a major one), says whether trying
 * again may help, and carries its facts as named fields, never as prose to parse.
 *
 * Branded by `Symbol.for`, so that two installed copies of the package know each other's errors: `instanceof` goes by
 * the `kind` of each class, since a bundler may rename the class itself.
 */

const BRAND = Symbol.for('holdfast.error')

/** Every code, with its one-line meaning: `docs/errors.md` is generated from this table. */
export const ERROR_CODES = {
  CONFIG_INVALID:
    'An option or argument is not of the form that is documented. Thrown at once, before anything is sent.',
  TIMEOUT: 'The deadline passed. `sent` tells whether the command had left: if so, its effect may exist.',
  CONNECTION_LOST:
    'The connection is away, or broke with the command under way (`sent`). The library reconnects by itself.',
  CONNECTION_CLOSED: 'The instance was closed by `close()`.',
  AUTH_FAILED: 'The server refused the user name or password.',
  SERVER_FULL:
    'The server is at `maxmemory` and its policy refuses the write. Nothing was written; with `sent`, unless by an earlier try of this call whose answer was lost.',
  SERVER_DENIED: "The server's user may not do this. `operation` says what was tried and `needs` what to grant.",
  SERVER_UNFIT: 'The server is too old, or is not in the mode that the address says.',
  SERVER_ERROR: 'The server answered with an error of its own; `reply` is its first word.',
  REPLY_UNKNOWN: 'A script answered with a word that this version does not know: two versions share one namespace.',
  VALUE_UNWRITABLE: 'A value holds something that cannot be stored and read back; `path` says where.',
  VALUE_INVALID: 'A value that was loaded or is to be set does not fit the schema of its cache; `path` says where.',
  VALUE_UNREADABLE: 'Stored bytes are not of a form that this version can read.',
  KEY_UNSTABLE: 'An argument holds something that no stable key can be made of; `path` says where.',
  LOAD_TIMEOUT:
    'A loader took longer than `loader.hardTimeout` allows. What it brings later is still kept, if nothing changed.',
  VALUE_CONFLICT: 'Others changed the value at each try, and the retries are out. Nothing was written.',
  MUTATION_UNCONFIRMED:
    'A change by `mutate` was made, and nobody can say that no older value is cached: `answer` is that of the change. Delete the entries.',
  WRITE_BEHIND_FULL:
    'More is written and not persisted than `maxDirtyCount` or `maxDirtyAge` allows, and the system of record takes no more. Nothing was written.',
  PERSIST_TIMEOUT: '`persist` of write-behind took longer than `write.timeout`: its entries are tried again.',
  STREAM_LOST: 'A stream of changes cannot be continued from the point asked for; read the whole again.',
  LOCK_TIMEOUT: 'The lock was not had in the time given for waiting: others hold it, or stand in line before.',
  LOCK_LOST: 'A lock that was held is lost, or may be: its work must stop. Another may have it by now.',
  ONCE_CONFLICT: 'A key of `once` stands for another request than this one: their fingerprints differ.',
  ONCE_FAILED: 'What ran once under this key failed, and its error was kept, as asked.',
  LOG_LEASE_LOST:
    'A consumer of a log has lost its lease, or may have: others may work on its entries, and what it says of them is not heard.',
  LOG_GROUP_REMOVED: 'A group of a log was removed while a process worked on it: its workers there have ended.',
  LOG_HANDLER_TIMEOUT: 'A handler of a log took longer than `timeout`: its entries count as failed.',
  BREAKER_OPEN: 'A breaker is open, since what it protects failed: nothing was called. `retryAfterMs` says until when.',
  SEATS_EXIST: 'An event of this id exists with another layout.',
  JOB_LEASE_LOST:
    'The lease of a job is lost, or may be: another may run it by now, and what is done for it does not count.',
  JOB_TIMEOUT: 'A handler took longer than the `timeout` of its job; the attempt counts as failed.',
  JOB_CANCELLED: 'Somebody cancelled the job while it ran: its signal fires with this, and it is not tried again.',
  QUEUE_FULL:
    'The queue has as many jobs as its `maxLength` allows. `added` tells what of the call was added all the same.',
  OUTBOX_NOT_DURABLE:
    'A row of an outbox is a job by now that has not reached the `durability` asked for. The row stays, with this as its error.',
  WORKER_CLOSED: 'The worker waited no longer for its handler: the job was handed back, without using an attempt.',
  SESSION_TOO_LARGE: 'The data of a session would have more bytes than `maxBytes`. Nothing was written.',
  CHANGE_REFUSED:
    'A change of servers would lose data or service, or cannot be made as they are now. Nothing was changed.',
  CHANGE_UNFINISHED: 'A change of servers stopped between two of its steps. The message says what goes on from there.',
  NO_SERVER: 'No redis-server or valkey-server was found to start.',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

export interface ErrorFields {
  readonly retryable?: boolean
  readonly cause?: unknown
}

/** The base of every error that Holdfast throws by itself. Tell them apart by `code`. */
export class HoldfastError extends Error {
  /** The class in words. Each class states its own; one that does not is known by its prototype alone. */
  static readonly kind: string = 'HoldfastError'

  readonly code: ErrorCode
  /** True when the same call may succeed later without anybody changing it. */
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = code
    this.retryable = fields.retryable ?? false
  }

  override get name(): string {
    return Object.hasOwn(this.constructor, 'kind')
      ? (this.constructor as typeof HoldfastError).kind
      : this.constructor.name
  }

  get [BRAND](): readonly string[] {
    const kinds: string[] = []
    for (let made: unknown = this.constructor; typeof made === 'function'; made = Object.getPrototypeOf(made))
      if (Object.hasOwn(made, 'kind')) kinds.push((made as unknown as typeof HoldfastError).kind)
    return kinds
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (typeof value !== 'object' || value === null || !Object.hasOwn(this, 'kind')) return false
    const kinds = (value as Record<symbol, unknown>)[BRAND]
    return Array.isArray(kinds) && kinds.includes(this.kind)
  }
}

/** An option or argument is wrong. Names it, what was expected and what came. */
export class ConfigError extends HoldfastError {
  static override readonly kind = 'ConfigError'

  readonly option: string
  readonly expected: string
  readonly received: string

  constructor(option: string, expected: string, received: unknown) {
    const shown = describe(received)
    super('CONFIG_INVALID', `${option}: expected ${expected}, received ${shown}`)
    this.option = option
    this.expected = expected
    this.received = shown
  }
}

/** The deadline passed before an answer came. */
export class TimeoutError extends HoldfastError {
  static override readonly kind = 'TimeoutError'

  /** True when the command had left: its effect may exist. */
  readonly sent: boolean
  readonly operation: string
  readonly timeoutMs: number

  /** `why`: what is known of why no answer came. */
  constructor(operation: string, timeoutMs: number, sent: boolean, cause?: unknown, why?: string) {
    const effect = 'it was sent, so its effect may exist'
    const where = sent ? (why === undefined ? effect : `${effect}; ${why}`) : (why ?? 'it was never sent')
    super('TIMEOUT', `${operation}: no answer within ${timeoutMs} ms; ${where}`, { retryable: true, cause })
    this.operation = operation
    this.timeoutMs = timeoutMs
    this.sent = sent
  }
}

/** The connection is away, broke with the command under way, or was closed. */
export class ConnectionError extends HoldfastError {
  static override readonly kind = 'ConnectionError'

  readonly sent: boolean
  readonly operation: string

  constructor(
    code: 'CONNECTION_LOST' | 'CONNECTION_CLOSED' | 'AUTH_FAILED' | 'SERVER_UNFIT',
    operation: string,
    why: string,
    fields: { sent?: boolean; cause?: unknown } = {},
  ) {
    super(code, `${operation}: ${why}`, { retryable: code === 'CONNECTION_LOST', cause: fields.cause })
    this.operation = operation
    this.sent = fields.sent ?? false
  }
}

/** The server answered, and its answer was an error. */
export class ServerError extends HoldfastError {
  static override readonly kind = 'ServerError'

  /** The first word of the server's answer, such as `OOM` or `WRONGTYPE`. */
  readonly reply: string
  readonly operation: string
  /** For SERVER_DENIED: what to grant, as an ACL rule. */
  readonly needs: string | undefined
  /** True when this answers a repeat, and nobody knows what became of the try before it: the effect may exist. */
  readonly sent: boolean

  constructor(
    code: 'SERVER_FULL' | 'SERVER_DENIED' | 'SERVER_ERROR' | 'REPLY_UNKNOWN',
    operation: string,
    message: string,
    fields: { reply: string; needs?: string; retryable?: boolean; sent?: boolean; cause?: unknown },
  ) {
    super(code, `${operation}: ${message}`, { retryable: fields.retryable ?? false, cause: fields.cause })
    this.operation = operation
    this.reply = fields.reply
    this.needs = fields.needs
    this.sent = fields.sent ?? false
  }
}

/** A value that cannot be stored and read back or does not fit its schema, stored bytes that cannot be read, or what no key can be made of. */
export class ValueError extends HoldfastError {
  static override readonly kind = 'ValueError'

  /** Where in the value, such as `$.items[3].run`. */
  readonly path: string

  constructor(
    code: 'VALUE_UNWRITABLE' | 'VALUE_INVALID' | 'VALUE_UNREADABLE' | 'KEY_UNSTABLE',
    path: string,
    why: string,
    cause?: unknown,
  ) {
    super(code, `${path}: ${why}`, { cause })
    this.path = path
  }
}

/** What was thrown, as a text. It may be anything: an error of another realm, no error at all, an object that no text can be made of. */
export function messageOf(thrown: unknown): string {
  try {
    const { message } = Object(thrown) as { readonly message?: unknown }
    return typeof message === 'string' ? message : String(thrown)
  } catch {
    return 'what no text can be made of'
  }
}

/** A short, safe picture of what came, for an error message: no secrets, at most 80 characters. */
export function describe(value: unknown): string {
  const shown = picture(value)
  return shown.length > 80 ? `${shown.slice(0, 79)}…` : shown
}

function picture(value: unknown): string {
  if (typeof value === 'string') return value.length > 78 ? `'${value.slice(0, 74)}…'` : `'${value}'`
  if (typeof value === 'function') return `a function${value.name ? ` (${value.name})` : ''}`
  if (typeof value === 'bigint') return `${value}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value === null || typeof value !== 'object') return String(value)
  const name = value.constructor?.name
  return name === undefined || name === 'Object'
    ? `an object with {${Object.keys(value).slice(0, 5).join(', ')}}`
    : `a ${name}`
}
