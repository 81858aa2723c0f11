import { types as is } from 'node:util'
import { ValueError } from './errors.ts'

/**
 * Values as JSON, and beside it, out of band, where something stands that JSON has no word for: Date, Map, Set, bigint, Buffer
 * and typed arrays, NaN, the infinities, -0, undefined. Nothing is guessed from the look of a string: a text that looks like a date
 * stays a text. Most values need no list, and then the JSON is the plain JSON.
 *
 * Like JSON it honours `toJSON` and keeps the own enumerable fields of an instance, not its class. Unlike JSON it refuses what
 * it would silently lose: functions, symbols, circles, and objects whose content is no field of theirs (a promise that was not awaited,
 * an error, a regular expression).
 */
export interface Encoded {
  readonly json: string
  /** The list of what is not JSON, as JSON; empty for a plain value. */
  readonly types: string
}

/** [path, type] in the order to restore: what stands inside comes before what holds it. */
type TypeEntry = readonly [path: readonly (string | number)[], type: string]

/** Deeper than any data; what is deeper is a circle, or an attack on the stack. */
const DEEPEST = 500
/** The quick walk leaves anything deeper than this to the careful one. */
const QUICK_DEPTH = 40

export function encode(value: unknown): Encoded {
  if (isPlain(value, 0)) return { json: JSON.stringify(value), types: '' }
  const { tree, types } = walkTree(value, false)
  return { json: JSON.stringify(tree), types }
}

/** The same for a codec that has words for all that JSON has, and for bytes: what it must be given, and the list beside it. */
export function encodeTree(value: unknown): { readonly tree: unknown; readonly types: string } {
  return isPlain(value, 0) ? { tree: value, types: '' } : walkTree(value, true)
}

/** The value of what `encodeTree` gave. */
export function decodeTree(tree: unknown, types: string): unknown {
  return types === '' ? tree : restore(tree, JSON.parse(types) as readonly TypeEntry[])
}

function walkTree(value: unknown, raw: boolean): { readonly tree: unknown; readonly types: string } {
  const walk: Walk = { types: [], holders: [], raw }
  const tree = toTree(value, [], walk)
  return { tree, types: walk.types.length === 0 ? '' : JSON.stringify(walk.types) }
}

export function decode(json: string, types: string): unknown {
  try {
    return decodeTree(JSON.parse(json), types)
  } catch (error) {
    throw error instanceof ValueError
      ? error
      : new ValueError('VALUE_UNREADABLE', '$', 'the stored text is no value of ours', error)
  }
}

function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      // -0 is the one finite number that JSON changes.
      return Number.isFinite(value) && (value !== 0 || 1 / value > 0)
    case 'object':
      break
    default:
      return false
  }
  return value === null || isPlainHolder(value, depth)
}

function isPlainHolder(holder: object, depth: number): boolean {
  if (depth > QUICK_DEPTH) return false
  if (Array.isArray(holder)) {
    for (let i = 0; i < holder.length; i++) if (!isPlain(holder[i], depth + 1)) return false
    return true
  }
  if (Object.getPrototypeOf(holder) !== Object.prototype) return false
  for (const key in holder) {
    const field = (holder as Record<string, unknown>)[key]
    // Texts are the most, and need no call.
    if (typeof field !== 'string' && !isPlain(field, depth + 1)) return false
  }
  return !('toJSON' in holder)
}

type Path = (string | number)[]

/** What a careful walk finds and where it is. */
interface Walk {
  readonly types: TypeEntry[]
  readonly holders: object[]
  /** Bytes stay bytes, for a codec that can hold them; as base64 otherwise. */
  readonly raw: boolean
}

function toTree(value: unknown, path: Path, walk: Walk): unknown {
  const { holders } = walk
  const mark = (type: string) => walk.types.push([path.slice(), type])
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      mark('number')
      return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint':
      mark('bigint')
      return String(value)
    case 'undefined':
      mark('undefined')
      return null
    case 'function':
    case 'symbol':
      throw new ValueError('VALUE_UNWRITABLE', spell(path), `a ${typeof value} cannot be stored`)
  }
  if (value === null) return null
  const object = value as object
  if (holders.includes(object))
    throw new ValueError('VALUE_UNWRITABLE', spell(path), 'it holds itself, and a circle cannot be stored')
  if (holders.length > DEEPEST)
    throw new ValueError('VALUE_UNWRITABLE', spell(path.slice(0, 8)), `it is nested deeper than ${DEEPEST}`)
  holders.push(object)
  const tree = objectToTree(object, path, walk, mark)
  holders.pop()
  return tree
}

function objectToTree(object: object, path: Path, walk: Walk, mark: (type: string) => void): unknown {
  const inside = (item: unknown, key: string | number) => {
    path.push(key)
    const tree = toTree(item, path, walk)
    path.pop()
    return tree
  }
  // By what they are and not by their constructor: that of another realm (vm, jest) is another one.
  if (is.isDate(object)) {
    mark('date')
    return object.getTime()
  }
  if (is.isMap(object)) {
    const pairs = [...object].map(([key, item], i) => {
      path.push(i)
      const pair = [inside(key, 0), inside(item, 1)]
      path.pop()
      return pair
    })
    mark('map')
    return pairs
  }
  if (is.isSet(object)) {
    const items = [...object].map(inside)
    mark('set')
    return items
  }
  if (ArrayBuffer.isView(object) || is.isArrayBuffer(object)) {
    const bytes = ArrayBuffer.isView(object)
      ? Buffer.from(object.buffer, object.byteOffset, object.byteLength)
      : Buffer.from(object)
    mark(bytesType(object, path))
    return walk.raw ? bytes : bytes.toString('base64')
  }
  if (typeof (object as { toJSON?: unknown }).toJSON === 'function') {
    const said = (object as { toJSON(): unknown }).toJSON()
    if (said !== object) return toTree(said, path, walk)
  }
  if (Array.isArray(object)) return Array.from(object, inside)
  if (is.isBoxedPrimitive(object)) return toTree(object.valueOf(), path, walk)
  if (is.isPromise(object) || is.isRegExp(object) || is.isNativeError(object) || isOpaque(object))
    throw new ValueError('VALUE_UNWRITABLE', spell(path), `a ${object.constructor.name} cannot be stored`)
  const tree: Record<string, unknown> = {}
  for (const key of Object.keys(object)) {
    const item = inside((object as Record<string, unknown>)[key], key)
    // '__proto__' as a field of data must stay one.
    if (key === '__proto__')
      Object.defineProperty(tree, key, { value: item, enumerable: true, configurable: true, writable: true })
    else tree[key] = item
  }
  return tree
}

const isOpaque = (object: object): boolean =>
  is.isWeakMap(object) || is.isWeakSet(object) || is.isSharedArrayBuffer(object) || object instanceof WeakRef

/** What to make of bytes again: a subclass comes back as what it extends. */
function bytesType(object: object, path: Path): string {
  if (Buffer.isBuffer(object)) return 'Buffer'
  const type = Object.prototype.toString.call(object).slice('[object '.length, -1)
  if (type !== 'ArrayBuffer' && !Object.hasOwn(VIEWS, type))
    throw new ValueError('VALUE_UNWRITABLE', spell(path), `a ${type} cannot be stored`)
  return type
}

const VIEWS: Readonly<Record<string, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
}

function restore(root: unknown, types: readonly TypeEntry[]): unknown {
  const holder = { root }
  for (const [path, type] of types) {
    let place: Record<string | number, unknown> = holder
    let key: string | number = 'root'
    for (const step of path) {
      place = place[key] as Record<string | number, unknown>
      key = step
      // A path that leaves the value (into a prototype, say) was not written by us.
      if (typeof place !== 'object' || place === null || !Object.hasOwn(place, key))
        throw new ValueError('VALUE_UNREADABLE', spell(path), 'its list of types does not fit it')
    }
    const item = revive(place[key], type, path)
    if (key === '__proto__')
      Object.defineProperty(place, key, { value: item, enumerable: true, configurable: true, writable: true })
    else place[key] = item
  }
  return holder.root
}

function revive(item: unknown, type: string, path: readonly (string | number)[]): unknown {
  switch (type) {
    case 'undefined':
      return undefined
    case 'number':
      return Number(item)
    case 'bigint':
      return BigInt(item as string)
    case 'date':
      return new Date(item === null ? Number.NaN : (item as number))
    case 'map':
      return new Map(item as [unknown, unknown][])
    case 'set':
      return new Set(item as unknown[])
    case 'Buffer':
      return bytesOf(item)
    case 'ArrayBuffer':
      return copyBytes(item)
  }
  const View = Object.hasOwn(VIEWS, type) ? VIEWS[type] : undefined
  if (View === undefined) throw new ValueError('VALUE_UNREADABLE', spell(path), `this version knows no type '${type}'`)
  return new View(copyBytes(item))
}

function bytesOf(item: unknown): Buffer {
  if (typeof item === 'string') return Buffer.from(item, 'base64')
  // A copy: bytes that came with a frame would keep all of it.
  if (is.isUint8Array(item)) return Buffer.from(item)
  throw new ValueError('VALUE_UNREADABLE', '$', 'what should be bytes is none')
}

/** Bytes in a buffer of their own: typed arrays need their alignment, and a pooled one would be shared. */
function copyBytes(item: unknown): ArrayBuffer {
  const bytes = bytesOf(item)
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}

function spell(path: readonly (string | number)[]): string {
  return `$${path.map((key) => (typeof key === 'number' ? `[${key}]` : /^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)).join('')}`
}
