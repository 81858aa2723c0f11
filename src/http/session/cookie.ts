import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { checkBoolean, checkKnown, checkOneOf } from '../../base/check.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'

export interface SessionCookieOptions {
  /** What signs the cookie, each of at least 16 letters. The first signs, all are believed: to change keys, put the new one first. */
  readonly keys: string | readonly string[]
  /**
   * Default `'__Host-sid'`: browsers take such a cookie from this very host over HTTPS alone, so no other subdomain can plant one. With
   * `domain`, `path` or `plainHttp`, where that cannot be, `'sid'`.
   */
  readonly name?: string
  /** Whether other sites' requests carry it: `'lax'` for links only. Default `'lax'`. */
  readonly sameSite?: 'lax' | 'strict' | 'none'
  /** Also for all subdomains of this one. Default this host alone. */
  readonly domain?: string
  /** Default `'/'`. */
  readonly path?: string
  /** How long the browser keeps it. Default until it is closed. */
  readonly maxAge?: Duration
  /** True: over HTTP too, for development. Default false. */
  readonly plainHttp?: boolean
}

/** What a cookie said: an id that we signed, though there need not be a session of it any more. */
export interface ReadCookie {
  readonly id: string
  /** Signed by an older key: to be sent again. */
  readonly resign: boolean
}

const SIGNED = /^([\w-]{43})\.([\w-]{43})$/
/** Cookies of one name that are looked at: others than ours may have been planted beside it. */
const MOST_OF_A_NAME = 8

/**
 * The cookie that carries a session's id: `<id>.<signature>`, HttpOnly, Secure and SameSite. The signature spares Redis every guess, and
 * binds the id to this cookie's name. A wrong one is no session, and no error.
 */
export class SessionCookie {
  readonly name: string
  readonly #keys: readonly KeyObject[]
  readonly #attributes: string
  readonly #maxAge: string

  constructor(options: SessionCookieOptions) {
    if (options === undefined) throw new ConfigError('cookie', 'a SessionCookie, or { keys, … }', options)
    checkKnown('', options, ['keys', 'name', 'sameSite', 'domain', 'path', 'maxAge', 'plainHttp'])
    this.#keys = checkKeys(options.keys)
    const { domain, path = '/' } = options
    const plainHttp = checkBoolean('plainHttp', options.plainHttp ?? false)
    const sameSite = checkOneOf('sameSite', options.sameSite ?? 'lax', ['lax', 'strict', 'none'] as const)
    if (domain !== undefined && (typeof domain !== 'string' || !/^[a-z0-9.-]+$/i.test(domain)))
      throw new ConfigError('domain', 'a domain', domain)
    if (typeof path !== 'string' || !/^\/[!-:<-~]*$/.test(path))
      throw new ConfigError('path', "a path that begins with '/'", path)
    if (sameSite === 'none' && plainHttp)
      throw new ConfigError('sameSite', "'lax' or 'strict' with plainHttp", sameSite)
    const isHost = domain === undefined && path === '/' && !plainHttp
    this.name = checkCookieName(options.name ?? (isHost ? '__Host-sid' : 'sid'), isHost, plainHttp)
    this.#maxAge = options.maxAge === undefined ? '' : `; Max-Age=${Math.ceil(toMs(options.maxAge, 'maxAge') / 1_000)}`
    this.#attributes = [
      `; Path=${path}`,
      domain === undefined ? '' : `; Domain=${domain}`,
      '; HttpOnly',
      plainHttp ? '' : '; Secure',
      `; SameSite=${sameSite.charAt(0).toUpperCase()}${sameSite.slice(1)}`,
    ].join('')
  }

  /** The id in a request's Cookie header, if we signed it. */
  read(header: string | null | undefined): ReadCookie | undefined {
    if (typeof header !== 'string') return undefined
    let looked = 0
    for (const part of header.split(';')) {
      const equals = part.indexOf('=')
      if (equals < 0 || part.slice(0, equals).trim() !== this.name) continue
      if (++looked > MOST_OF_A_NAME) return undefined
      const [, id, signature] = SIGNED.exec(part.slice(equals + 1).trim()) ?? []
      if (id === undefined || signature === undefined) continue
      const given = Buffer.from(signature)
      const by = this.#keys.findIndex((key) => timingSafeEqual(Buffer.from(this.#sign(id, key)), given))
      if (by >= 0) return { id, resign: by > 0 }
    }
    return undefined
  }

  /** The Set-Cookie header that gives an id to the browser. */
  write(id: string): string {
    return `${this.name}=${id}.${this.#sign(id, this.#keys[0] as KeyObject)}${this.#maxAge}${this.#attributes}`
  }

  /** The Set-Cookie header that takes it away. */
  clear(): string {
    return `${this.name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT${this.#attributes}`
  }

  #sign(id: string, key: KeyObject): string {
    return createHmac('sha256', key).update(`${this.name}=${id}`).digest('base64url')
  }
}

export const toCookie = (cookie: SessionCookie | SessionCookieOptions): SessionCookie =>
  cookie instanceof SessionCookie ? cookie : new SessionCookie(cookie)

/** Errors say how long a key is and never what. */
function checkKeys(keys: unknown): readonly KeyObject[] {
  const all: readonly unknown[] = Array.isArray(keys) ? keys : [keys]
  if (all.length === 0 || all.length > 16) throw new ConfigError('keys', '1 to 16 keys', all)
  return all.map((key, i) => {
    if (typeof key !== 'string' || key.length < 16)
      throw new ConfigError(
        `keys[${i}]`,
        'a secret of at least 16 letters',
        typeof key === 'string' ? `one of ${key.length}` : key === undefined ? undefined : typeof key,
      )
    return createSecretKey(key, 'utf8')
  })
}

function checkCookieName(name: unknown, isHost: boolean, plainHttp: boolean): string {
  if (typeof name !== 'string' || !/^[!#$%&'*+\-.^`|~\w]{1,100}$/.test(name))
    throw new ConfigError('name', 'letters that a cookie may be named with, at most 100', name)
  // Browsers refuse such a cookie in silence, whatever the case of its letters.
  if (/^__host-/i.test(name) && !isHost)
    throw new ConfigError('name', "one without '__Host-', which no domain, path or plainHttp may go with", name)
  if (/^__secure-/i.test(name) && plainHttp)
    throw new ConfigError('name', "one without '__Secure-' with plainHttp", name)
  return name
}
