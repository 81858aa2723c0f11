import { createHash } from 'node:crypto'
import { types as is, isDeepStrictEqual } from 'node:util'
import { ValueError } from './errors.ts'

/**
 * Any arguments as one text: the same for what is deeply equal, and another one for all else. '1' is not 1, undefined is neither null
 * nor missing, -0 is not 0, a Buffer is no Uint8Array. The order of fields does not matter, nor that of a Map or a Set; that of an
 * array does. A plain object without a prototype is like any other.
 *
 * An instance of a class is what its `toJSON` says, with the name of its class; one that says nothing is refused, since two that differ
 * only in what is private would share a key: also one of a class that extends Map, Set, Date, Array or bytes. So are fields of their own
 * on these, functions, symbols and circles.
 *
 * throws  ValueError KEY_UNSTABLE, with the path of what no key can be made of, such as `$[1].run`
 */
export function stableKey(args: readonly unknown[]): string {
  return new Speller().list(args)
}

/** Longer texts are cut to a readable head and the SHA-256 of the whole. */
const LONGEST_KEY = 200
const HEAD = 100
/** Halves of pairs that stand alone: as UTF-8 all of them would be the same. */
const BROKEN = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/**
 * A text of any length as a short one that is unlike every other's: what follows `mark` is the text itself, what follows '#' the head and
 * the hash of a longer one. `mark`: what the text begins with otherwise, so that texts of two kinds stay apart; not '#'.
 *
 * costs  a fraction of a µs up to 200 letters; beyond, some µs for each KiB
 */
export function shortKey(mark: string, text: string): string {
  if (text.length <= LONGEST_KEY) return mark + text
  // Half of a pair is no letter that anybody could read.
  const head = text.slice(0, HEAD).replace(/[\ud800-\udbff]$/, '')
  const bytes = BROKEN.test(text) ? 'utf16le' : 'utf8'
  return `#${head}…${createHash('sha256').update(`${mark}${bytes} `).update(text, bytes).digest('base64url')}`
}

/** Deeper than any arguments; what is deeper is a circle, or an attack on the stack. */
const DEEPEST = 200

class Speller {
  readonly #path: (string | number)[] = []
  readonly #holders: object[] = []

  list(items: readonly unknown[]): string {
    const fields = Object.keys(items).length
    let text = '['
    let present = 0
    for (let i = 0; i < items.length; i++) {
      if (i > 0) text += ','
      if (!(i in items)) text += 'empty'
      else {
        text += this.#at(i, items[i])
        present++
      }
    }
    if (fields !== present || hasSymbols(items)) this.#refuse('a list with fields of its own')
    return `${text}]`
  }

  #at(key: string | number, value: unknown): string {
    if (typeof value === 'string') return JSON.stringify(value)
    this.#path.push(key)
    const text = this.#value(value)
    this.#path.pop()
    return text
  }

  #value(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value)
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value)
      case 'bigint':
        return `${value}n`
      case 'function':
      case 'symbol':
        return this.#refuse(`a ${typeof value}`)
      case 'object':
        return value === null ? 'null' : this.#holder(value)
      default:
        return String(value)
    }
  }

  #holder(object: object): string {
    if (this.#holders.includes(object)) this.#refuse('a circle')
    if (this.#holders.length >= DEEPEST) this.#refuse(`what is nested deeper than ${DEEPEST}`)
    this.#holders.push(object)
    const text = this.#object(object)
    this.#holders.pop()
    return text
  }

  // By what they are and not by their constructor: that of another realm (vm, jest) is another one.
  #object(object: object): string {
    if (Array.isArray(object) && Object.getPrototypeOf(object) === Array.prototype) return this.list(object)
    const kind = kindOf(object)
    const prototype = Object.getPrototypeOf(object)
    if (kind !== undefined && isOwnPrototype(prototype, kind)) return this.#builtIn(object, kind)
    const { toJSON } = object as { toJSON?: unknown }
    // Date and Buffer have one too, which knows nothing of what a class that extends them adds.
    if (typeof toJSON === 'function' && !INHERITED.has(toJSON))
      return `@${JSON.stringify(object.constructor?.name ?? '')}:${this.#value(toJSON.call(object, ''))}`
    if (kind !== undefined || !isPlain(object)) return this.#refuse(`a ${nameOf(object)}`)
    return this.#fields(object as Record<string, unknown>)
  }

  #builtIn(object: object, kind: string): string {
    if (Array.isArray(object)) return this.list(object)
    if (ArrayBuffer.isView(object)) {
      const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength)
      if (hasFieldsBesideBytes(object)) this.#refuse(`a ${kind} with fields of its own`)
      return `${kind}(${bytes.toString('base64')})`
    }
    if (Object.keys(object).length > 0 || hasSymbols(object)) this.#refuse(`a ${kind} with fields of its own`)
    if (is.isDate(object)) return `Date(${object.getTime()})`
    if (is.isMap(object))
      return `Map{${this.#sorted([...object], ([key, item], i) => `${this.#at(i, key)}:${this.#at(i, item)}`)}}`
    if (is.isSet(object)) return `Set{${this.#sorted([...object], (item, i) => this.#at(i, item))}}`
    return `ArrayBuffer(${Buffer.from(object as ArrayBuffer).toString('base64')})`
  }

  #fields(object: Record<string, unknown>): string {
    if (hasSymbols(object)) this.#refuse('an object with a symbol for a field')
    return `{${this.#sorted(Object.keys(object), (key) => `${JSON.stringify(key)}:${this.#at(key, object[key])}`)}}`
  }

  #sorted<T>(items: readonly T[], spell: (item: T, index: number) => string): string {
    return items.map(spell).sort().join(',')
  }

  #refuse(what: string): never {
    const path = this.#path.map((key) =>
      typeof key === 'number' ? `[${key}]` : /^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
    )
    throw new ValueError('KEY_UNSTABLE', `$${path.join('')}`, `${what} cannot be part of a key`)
  }
}

/** What a value is by its inside, whatever its class says; undefined for a plain object or an instance of a class of somebody's. */
function kindOf(object: object): string | undefined {
  if (Array.isArray(object)) return 'Array'
  if (is.isDate(object)) return 'Date'
  if (is.isMap(object)) return 'Map'
  if (is.isSet(object)) return 'Set'
  if (is.isArrayBuffer(object)) return 'ArrayBuffer'
  if (!ArrayBuffer.isView(object)) return undefined
  if (Buffer.isBuffer(object)) return 'Buffer'
  return is.isDataView(object) ? 'DataView' : (nameOfTyped.call(object) as string)
}

// The getter of all typed arrays, which looks at the inside.
const nameOfTyped = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as () => unknown

const INHERITED: ReadonlySet<unknown> = new Set([Date.prototype.toJSON, Buffer.prototype.toJSON])

/** False for that of a class that extends the built-in one. */
function isOwnPrototype(prototype: object | null, kind: string): boolean {
  if (prototype === null) return false
  if (kind === 'Buffer') return prototype === Buffer.prototype
  // That of another realm is another one, written by nobody either.
  const maker: unknown = prototype.constructor
  if (typeof maker !== 'function' || maker.prototype !== prototype) return false
  return maker === BUILT_IN[kind] || Function.prototype.toString.call(maker) === `function ${kind}() { [native code] }`
}

const BUILT_IN: Readonly<Record<string, unknown>> = { Array, Date, Map, Set, ArrayBuffer, Uint8Array }

function hasSymbols(object: object): boolean {
  const symbols = Object.getOwnPropertySymbols(object)
  return symbols.length > 0 && symbols.some((symbol) => Object.prototype.propertyIsEnumerable.call(object, symbol))
}

function hasFieldsBesideBytes(view: ArrayBufferView): boolean {
  const { buffer, byteOffset, byteLength } = view
  if (is.isDataView(view)) return Object.keys(view).length > 0 || hasSymbols(view)
  const { length } = view as Uint8Array
  if (length <= FEW_BYTES) return Object.keys(view).length > length || hasSymbols(view)
  // Compared with the same bytes under no other fields: listing its own would list every byte.
  const Kind = Object.getPrototypeOf(view).constructor as new (...args: unknown[]) => object
  const bare = Buffer.isBuffer(view)
    ? Buffer.from(buffer, byteOffset, byteLength)
    : new Kind(buffer, byteOffset, length)
  return !isDeepStrictEqual(view, bare)
}

const FEW_BYTES = 16

function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  // That of another realm is one of the same kind: it has no prototype either.
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
}

const nameOf = (object: object): string =>
  object.constructor?.name || Object.prototype.toString.call(object).slice('[object '.length, -1)
