import { ConfigError } from '../base/errors.ts'

declare const KEY: unique symbol
/** The full name of a key in Redis. Made by a `Keyspace` only, so that no key is spelt by hand. */
export type Key = string & { readonly [KEY]: true }

/** A full name on the wire, checked by nobody: for keys that were read back from the server. */
export const asKey = (name: string): Key => name as Key

/**
 * How names become keys.
 *
 * All keys of one entity share one hash tag, `{namespace:room:part:…}`, and so one slot: they can change in
 * one step. Whatever a user's name holds, it cannot leave its tag, match a neighbour's glob or spell
 * another name's key: everything outside a safe set is percent-encoded, and in every part but the last `:` too.
 * The last part keeps `:` so that ids such as `user:42` stay readable and can be matched by `user:*`; therefore all
 * entities of one room have the same number of parts.
 */
export class Keyspace {
  readonly namespace: string
  readonly #prefix: string

  constructor(namespace: string) {
    if (typeof namespace !== 'string' || Buffer.byteLength(namespace) > 200)
      throw new ConfigError('namespace', 'a string of at most 200 bytes', namespace)
    this.namespace = namespace
    this.#prefix = escapePart(namespace)
  }

  /** What stands inside the braces of an entity: `shop:cache:product:` for the parts `cache`, `product`, and an open last part. */
  stem(...parts: readonly string[]): string {
    let stem = `${this.#prefix}:`
    for (const part of parts) stem += `${escapePart(part)}:`
    return stem
  }

  /** The key of an entity: `{shop:cache:product:42}`. The last part may hold `:`. */
  entity(...parts: readonly string[]): Key {
    const last = parts.at(-1) ?? ''
    return `{${this.stem(...parts.slice(0, -1))}${escapeLast(last)}}` as Key
  }

  /** A pub/sub channel of this namespace. */
  channel(...parts: readonly string[]): string {
    return `${this.#prefix}:${parts.map(escapePart).join(':')}`
  }
}

// Visible ASCII but for what has a meaning to Redis (braces, globs, backslash), to us (% and, in a part, :) or to a shell's eye
// (space, quotes); and every printable character beyond ASCII. Lone surrogates are not text: two of them would become one U+FFFD.
const UNSAFE_LAST = /[^!#$&'()+,\-./0-9:;<=>@A-Z^_`a-z|~\u00a1-\ud7ff\ue000-\ufffc\u{10000}-\u{10ffff}]/gu
const UNSAFE_PART = /[^!#$&'()+,\-./0-9;<=>@A-Z^_`a-z|~\u00a1-\ud7ff\ue000-\ufffc\u{10000}-\u{10ffff}]/gu
// Most ids are plain: one cheap test spares them the replacing.
const PLAIN_LAST = /^[!#$&'()+,\-./0-9:;<=>@A-Z^_`a-z|~]*$/
const PLAIN_PART = /^[!#$&'()+,\-./0-9;<=>@A-Z^_`a-z|~]*$/

function percent(char: string): string {
  const code = char.codePointAt(0) as number
  return code < 0x80
    ? `%${code.toString(16).toUpperCase().padStart(2, '0')}`
    : `%u${code.toString(16).toUpperCase().padStart(4, '0')}`
}

/** A name as a part between two `:`. */
export function escapePart(name: string): string {
  return PLAIN_PART.test(name) ? name : name.replace(UNSAFE_PART, percent)
}

/** A name as the last part of a key, where `:` may stand. */
export function escapeLast(name: string): string {
  return PLAIN_LAST.test(name) ? name : name.replace(UNSAFE_LAST, percent)
}

/** The name that was escaped. */
export function unescapeName(escaped: string): string {
  return escaped.includes('%')
    ? escaped.replace(/%u([0-9A-F]{4})|%([0-9A-F]{2})/g, (_, wide, narrow) =>
        String.fromCharCode(Number.parseInt(wide ?? narrow, 16)),
      )
    : escaped
}

/**
 * A user's glob (`*`, `?`, `[a-z]`, `\` before a literal) over names: what to ask the server for, and the exact test.
 *
 * The server matches bytes of escaped names, the user means characters of names: so it is asked for a superset
 * (one `*` for every wildcard), and what it finds is tested here.
 */
export function compileGlob(pattern: string): { readonly superset: string; matches(name: string): boolean } {
  let superset = ''
  // What stands between the stars, each a regular expression of a fixed number of characters.
  const spans = ['']
  const chars = [...pattern]
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] as string
    if (char === '*') {
      superset += '*'
      spans.push('')
      continue
    }
    let source: string
    if (char === '?') {
      superset += '*'
      source = '[^]'
    } else if (char === '[' && chars.indexOf(']', i + 1) > 0) {
      const close = chars.indexOf(']', i + 1)
      const body = chars.slice(i + 1, close).join('')
      const negated = body.startsWith('^') || body.startsWith('!')
      source = `[${negated ? '^' : ''}${(negated ? body.slice(1) : body).replace(/[\\\]^[]/g, '\\$&')}]`
      superset += '*'
      i = close
    } else {
      const literal = char === '\\' && i + 1 < chars.length ? (chars[++i] as string) : char
      superset += escapeLast(literal)
      source = literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    }
    spans[spans.length - 1] += source
  }
  try {
    return { superset: superset.replace(/\*+/g, '*'), matches: matcher(spans) }
  } catch {
    throw new ConfigError('pattern', 'a glob of *, ?, [a-z] and \\ before a literal', pattern)
  }
}

/**
 * The first span at the start, the last at the end, those between as early as they fit: since each is of a fixed length, that
 * decides without trying again, where one regular expression with many stars tries for hours.
 */
function matcher(spans: readonly string[]): (name: string) => boolean {
  if (spans.length === 1) {
    const whole = new RegExp(`^${spans[0]}$`, 'u')
    return (name) => whole.test(name)
  }
  const first = new RegExp(spans[0] as string, 'uy')
  const last = new RegExp(`${spans.at(-1)}$`, 'ug')
  const between = spans
    .slice(1, -1)
    .filter((span) => span !== '')
    .map((span) => new RegExp(span, 'ug'))
  return (name) => {
    first.lastIndex = 0
    if (!first.test(name)) return false
    let at = first.lastIndex
    for (const span of between) {
      span.lastIndex = at
      if (!span.test(name)) return false
      at = span.lastIndex
    }
    last.lastIndex = at
    return last.test(name)
  }
}
