/** A header's name in small letters, and one of its values. */
export type Header = readonly [name: string, value: string]
export type HeaderList = readonly Header[]

/** All values of a header as one, or undefined where there is none. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  let found: string | undefined
  for (const [key, value] of headers) if (key === name) found = found === undefined ? value : `${found}, ${value}`
  return found
}

export const without = (headers: HeaderList, names: ReadonlySet<string>): HeaderList =>
  headers.filter(([name]) => !names.has(name))

/** `headers` with this one in place of any of its name; without it where there is no value. */
export function withHeader(headers: HeaderList, name: string, value: string | undefined): HeaderList {
  const others = headers.filter(([key]) => key !== name)
  return value === undefined ? others : [...others, [name, value]]
}

/** The members of a list such as `gzip, br`, trimmed, in small letters. */
export const membersOf = (list: string | undefined): readonly string[] =>
  list === undefined
    ? []
    : list
        .toLowerCase()
        .split(',')
        .map((member) => member.trim())
        .filter((member) => member !== '')

/** Of one connection, and of no use to anyone who is sent the response again. Their length is that of what is sent. */
const OF_CONNECTION = [
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authentication-info'],
  ...['proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'content-length'],
]

/** What is left of a limit to the one client who was answered. */
const OF_CLIENT = /^(x-)?ratelimit($|-)/

/** What may be stored of a response's headers: not those of its connection, nor those that the connection names, nor those of its client. */
export function lastingHeaders(headers: HeaderList): HeaderList {
  const lasting = without(headers, new Set([...OF_CONNECTION, ...membersOf(headerOf(headers, 'connection'))]))
  return lasting.filter(([name]) => !OF_CLIENT.test(name))
}

/** What tells how a response may be kept and what its body is: the handler may have counted on it, whoever has set it. */
const OF_RESPONSE = /^(vary|cache-control|expires|date|age|etag|last-modified|set-cookie|cache-status|content-.*)$/

/** Without what was there before the handler, as it was: each request has its own of that. */
export const withoutInherited = (headers: HeaderList, before: HeaderList = []): HeaderList =>
  headers.filter(
    ([name, value]) => OF_RESPONSE.test(name) || !before.some(([other, had]) => other === name && had === value),
  )

/** A date as HTTP writes it, in ms; undefined for anything else, such as `0`. */
export function parseHttpDate(value: string | undefined): number | undefined {
  if (value === undefined || !/^[A-Z][a-z]{2,8},? /.test(value)) return undefined
  // The old asctime form names no zone and means UTC.
  const ms = Date.parse(/GMT$|[+-]\d{4}$/.test(value) ? value : `${value} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}

export const formatHttpDate = (ms: number): string => new Date(ms).toUTCString()
