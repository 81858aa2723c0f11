/** The directives of a Cache-Control header, with names in small letters; those without an argument are ''. */
export type Directives = ReadonlyMap<string, string>

const DIRECTIVE = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?/g

/** Of a directive that stands twice, the smaller number holds, and any argument narrows one without (RFC 9111, 4.2.1). */
export function parseDirectives(header: string | undefined): Directives {
  const directives = new Map<string, string>()
  if (header === undefined) return directives
  for (const [, name = '', quoted, plain] of header.matchAll(DIRECTIVE)) {
    const key = name.toLowerCase()
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''
    const before = directives.get(key)
    directives.set(key, before === undefined ? value : stricter(key, before, value))
  }
  return directives
}

function stricter(name: string, a: string, b: string): string {
  // `private` of all is more than `private` of one field.
  if (name === 'private' || name === 'no-cache') return a === '' || b === '' ? '' : `${a},${b}`
  const [first, second] = [toSeconds(a), toSeconds(b)]
  return first === undefined || (second !== undefined && first <= second) ? a : b
}

/** More than a century is for ever, and fits any arithmetic. */
const MOST_SECONDS = 2 ** 31

/** A number of seconds, or undefined for what is none. */
function toSeconds(value: string): number | undefined {
  return /^\d+$/.test(value) ? Math.min(Number(value), MOST_SECONDS) : undefined
}

/** A directive's seconds in ms. Undefined where it does not stand; 0 where its argument is no number: then the cautious reading holds. */
export function msOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  return value === undefined ? undefined : (toSeconds(value) ?? 0) * 1_000
}
