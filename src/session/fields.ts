import { decode, encode } from '../base/codec.ts'
import { ConfigError, ValueError } from '../base/errors.ts'
import { DATA, META, USER } from './keys.ts'
import { fromLine, toLine } from './line.ts'

/** Fields of one call: more would not fit into one call of Lua. */
const MOST_FIELDS = 1_000

/** The data of a session, or a change of it, as it goes to Redis. */
export interface EncodedFields {
  /** Name and value in turns. */
  readonly set: readonly string[]
  readonly removed: readonly string[]
  /** Of what is set, names included. */
  readonly bytes: number
}

/** Each field of its own, so that two who change different ones do not undo each other. `undefined` removes. */
export function encodeFields(option: string, data: unknown): EncodedFields {
  if (typeof data !== 'object' || data === null || Array.isArray(data) || data instanceof Map || data instanceof Set)
    throw new ConfigError(option, 'an object of fields', data)
  const names = Object.keys(data)
  if (names.length > MOST_FIELDS)
    throw new ConfigError(option, `an object of at most ${MOST_FIELDS} fields`, `one of ${names.length}`)
  const set: string[] = []
  const removed: string[] = []
  let bytes = 0
  for (const name of names) {
    const value = (data as Record<string, unknown>)[name]
    const field = DATA + toLine(checkFieldName(name))
    if (value === undefined) {
      removed.push(field)
      continue
    }
    const text = encodeField(name, value)
    set.push(field, text)
    bytes += Buffer.byteLength(field) + Buffer.byteLength(text)
  }
  return { set, removed, bytes }
}

function checkFieldName(name: string): string {
  if (/\p{Surrogate}/u.test(name))
    throw new ValueError('VALUE_UNWRITABLE', `$[${JSON.stringify(name)}]`, 'its name is no well-formed text')
  return name
}

/** JSON; where JSON has no word for something, `!<length>|<types><json>`. No JSON begins so. */
function encodeField(name: string, value: unknown): string {
  if (typeof value === 'function' || typeof value === 'symbol') throw unwritable(name, `a ${typeof value}`)
  try {
    const { json, types } = encode(value)
    return types === '' ? json : `!${types.length}|${types}${json}`
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    throw new ValueError(error.code as 'VALUE_UNWRITABLE', pathOf(name, error.path), whyOf(error), error)
  }
}

const unwritable = (name: string, what: string) =>
  new ValueError('VALUE_UNWRITABLE', pathOf(name, '$'), `${what} cannot be stored`)

const pathOf = (name: string, inside: string): string =>
  `$${/^\w+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`}${inside.slice(1)}`
const whyOf = (error: ValueError): string => error.message.slice(error.path.length + 2)

function decodeField(name: string, text: string): unknown {
  try {
    if (text.charCodeAt(0) !== 33) return decode(text, '')
    const bar = text.indexOf('|')
    const end = bar + 1 + Number(text.slice(1, bar))
    return decode(text.slice(end), text.slice(bar + 1, end))
  } catch (error) {
    const { path = '$' } = error as { path?: string }
    throw new ValueError('VALUE_UNREADABLE', pathOf(name, path), 'the stored text is no value of ours', error)
  }
}

/** What the hash of a session says. */
export interface ReadFields {
  readonly data: Record<string, unknown>
  readonly userId: string | undefined
  readonly createdAtMs: number
  readonly epoch: string
}

/** `lines`: names and values in turns, a line each. */
export function readFields(lines: string): ReadFields {
  const data: Record<string, unknown> = {}
  let owner: Owner | undefined
  let createdAtMs = 0
  const all = lines.split('\n')
  for (let i = 0; i < all.length; i += 2) {
    const field = all[i] as string
    const text = all[i + 1] as string
    if (field.startsWith(DATA)) {
      const name = fromLine(field.slice(1))
      setOwn(data, name, decodeField(name, text))
    } else if (field === META) createdAtMs = readMeta(text).createdAtMs
    else if (field === USER) owner = readOwner(text)
  }
  return { data, userId: owner?.userId, createdAtMs, epoch: owner?.epoch ?? '0' }
}

/** The moments in `meta`. */
export function readMeta(meta: string): {
  readonly createdAtMs: number
  readonly seenMs: number
  readonly lastMs: number
} {
  const at = (start: number) => Number(meta.slice(start, start + 13))
  return { createdAtMs: at(43), seenMs: at(56), lastMs: at(69) }
}

export interface Owner {
  readonly epoch: string
  readonly label: string | undefined
  readonly userId: string
}

export const writeOwner = (epoch: string, label: string, userId: string): string =>
  `${epoch}\t${toLine(label)}\t${toLine(userId)}`

export function readOwner(text: string): Owner {
  const [epoch = '0', label = '', userId = ''] = text.split('\t')
  return { epoch, label: label === '' ? undefined : fromLine(label), userId: fromLine(userId) }
}

/** The data that was written, as who reads it will see it. */
export function decodeSet(set: readonly string[]): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  for (let i = 0; i < set.length; i += 2) {
    const name = fromLine((set[i] as string).slice(1))
    setOwn(data, name, decodeField(name, set[i + 1] as string))
  }
  return data
}

/** '__proto__' as a field of data must stay one. */
function setOwn(data: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(data, name, { value, enumerable: true, configurable: true, writable: true })
  else data[name] = value
}
