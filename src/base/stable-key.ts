import { createHash } from 'node:crypto'
import { types as is } from 'node:util'
import { ValueError } from './errors.ts'

/**
 * Any arguments as one text: the same for what is deeply equal, and another one for all else. '1' is not 1, undefined is neither null
 * nor missing, -0 is not 0, a Buffer is no Uint8Array. The order of fields does not matter, nor that of a Map or a Set; that of an
 * array does. A plain object without a prototype is like any other.
 *
 * An instance of a class is what its `toJSON` says, with the name of its class; one that says nothing is refused, since two that differ
 * only in what is private would share a key. So are functions, symbols and circles.
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
    if (fields !== present) this.#refuse('a list with fields of its own')
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
    if (Array.isArray(object)) return this.list(object)
    if (is.isDate(object)) return `Date(${object.getTime()})`
    if (is.isMap(object))
      return `Map{${this.#sorted([...object], ([key, item], i) => `${this.#at(i, key)}:${this.#at(i, item)}`)}}`
    if (is.isSet(object)) return `Set{${this.#sorted([...object], (item, i) => this.#at(i, item))}}`
    if (ArrayBuffer.isView(object)) {
      const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength)
      return `${Buffer.isBuffer(object) ? 'Buffer' : nameOf(object)}(${bytes.toString('base64')})`
    }
    if (is.isArrayBuffer(object)) return `ArrayBuffer(${Buffer.from(object).toString('base64')})`
    const { toJSON } = object as { toJSON?: unknown }
    if (typeof toJSON === 'function')
      return `@${JSON.stringify(object.constructor?.name ?? '')}:${this.#value(toJSON.call(object, ''))}`
    if (!isPlain(object)) return this.#refuse(`a ${nameOf(object)}`)
    return this.#fields(object as Record<string, unknown>)
  }

  #fields(object: Record<string, unknown>): string {
    if (
      Object.getOwnPropertySymbols(object).some((symbol) => Object.prototype.propertyIsEnumerable.call(object, symbol))
    )
      this.#refuse('an object with a symbol for a field')
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

function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  // That of another realm is one of the same kind: it has no prototype either.
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
}

const nameOf = (object: object): string =>
  object.constructor?.name || Object.prototype.toString.call(object).slice('[object '.length, -1)
