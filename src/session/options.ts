import { checkInteger, checkKnown, checkName } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'

export interface SessionsOptions {
  /** Keeps several sets apart, such as those of customers and of staff. Any string of at most 512 bytes, default `'default'`. */
  readonly name?: string
  /** A session ends when it was not used for so long. Default `'30m'`. */
  readonly idle?: Duration
  /** A session ends so long after its begin, however much it is used. At least `idle`, default `'7d'`. */
  readonly absolute?: Duration
  /** How long an id opens the session still when it was given another one. 0 to an hour, default `'10s'`. */
  readonly overlap?: Duration
  /** Bytes that the data of one session may have, names included, 64 to 16 MiB. Default 65,536. */
  readonly maxBytes?: number
}

export interface CreateSessionOptions {
  /** Whose session it is; only then it is listed and revoked by user. Default nobody's. */
  readonly userId?: string
  /** What the user sees in the list of his sessions, such as the browser. Up to 256 bytes, default none. */
  readonly label?: string
}

export interface RegenerateSessionOptions<T> extends CreateSessionOptions {
  /** With a `userId` the session becomes that user's and begins a new life: a login. */
  readonly userId?: string
  /** Merged into the data in the same step, as by `update`. */
  readonly data?: SessionPatch<T>
  /** How long the earlier id opens the session still. Default that of the sessions, and 0 with a `userId`. */
  readonly overlap?: Duration
}

export interface RevokeAllSessionsOptions {
  /** The id, or the reference, of the one session that lives on. */
  readonly except?: string
}

/** Fields to set, and with `undefined` to remove. */
export type SessionPatch<T> = { readonly [Field in keyof T]?: T[Field] | undefined }

export interface ResolvedSessionsOptions {
  readonly name: string
  readonly idleMs: number
  readonly absoluteMs: number
  readonly overlapMs: number
  readonly maxBytes: number
  /** How much of the idle life passes before a use begins it anew. */
  readonly dueMs: number
}

/** A use within the first tenth of the idle life costs no write. */
const TOUCH_SHARE = 0.1
const HOUR_MS = 3_600_000

export function resolveSessionsOptions(options: SessionsOptions = {}): ResolvedSessionsOptions {
  checkKnown('', options, ['name', 'idle', 'absolute', 'overlap', 'maxBytes'])
  const idleMs = toMs(options.idle ?? '30m', 'idle')
  const absoluteMs = toMs(options.absolute ?? '7d', 'absolute')
  if (absoluteMs < idleMs) throw new ConfigError('absolute', `at least the idle life, ${idleMs} ms`, options.absolute)
  return {
    name: checkName('name', options.name ?? 'default'),
    idleMs,
    absoluteMs,
    overlapMs: checkOverlap(options.overlap ?? '10s'),
    maxBytes: checkInteger('maxBytes', options.maxBytes ?? 65_536, 64, 16_777_216),
    dueMs: Math.max(1, Math.ceil(idleMs * TOUCH_SHARE)),
  }
}

const checkOverlap = (overlap: Duration): number => toMs(overlap, 'overlap', { min: 0, max: HOUR_MS })

export interface CheckedCreate {
  /** '' for nobody. */
  readonly userId: string
  readonly label: string
}

export function checkCreate(options: CreateSessionOptions): CheckedCreate {
  checkKnown('', options, ['userId', 'label'])
  const { userId, label = '' } = options
  return {
    userId: userId === undefined ? '' : checkUserId(userId),
    label: label === '' ? '' : checkText('label', label, 256),
  }
}

export interface CheckedRegenerate extends CheckedCreate {
  readonly overlapMs: number
}

export function checkRegenerate<T>(
  options: RegenerateSessionOptions<T>,
  { overlapMs }: ResolvedSessionsOptions,
): CheckedRegenerate {
  checkKnown('', options, ['userId', 'label', 'data', 'overlap'])
  const { userId, label, overlap } = options
  // Who knew the id before the login, and may have planted it, must not be logged in too.
  const usual = userId === undefined ? overlapMs : 0
  return {
    ...checkCreate({ userId, label } as CreateSessionOptions),
    overlapMs: overlap === undefined ? usual : checkOverlap(overlap),
  }
}

export const checkUserId = (userId: unknown): string => checkText('userId', userId, 512)

function checkText(option: string, value: unknown, bytes: number): string {
  if (typeof value !== 'string' || value === '' || (value.length * 3 > bytes && Buffer.byteLength(value) > bytes))
    throw new ConfigError(option, `a string of 1 to ${bytes} bytes`, value)
  // Half a surrogate pair is no text: on the wire two different ones become one.
  if (/\p{Surrogate}/u.test(value)) throw new ConfigError(option, 'well-formed text', value)
  return value
}
