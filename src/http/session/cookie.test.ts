import { describe, expect, it } from 'vitest'
import { SessionCookie, type SessionCookieOptions } from './cookie.ts'

const KEY = 'a key of at least sixteen letters'
const OLD = 'another key that was used before!'
const ID = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123-_x'

const make = (options: Partial<SessionCookieOptions> = {}) => new SessionCookie({ keys: KEY, ...options })
const textOf = (header: string) => header.slice(header.indexOf('=') + 1, header.indexOf(';'))

describe('a session cookie', () => {
  it('is for this host, over HTTPS, out of reach of scripts and of other sites', () => {
    expect(make().write(ID)).toMatch(/^__Host-sid=[\w-]{43}\.[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    expect(make().clear()).toBe(
      '__Host-sid=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax',
    )
  })

  it('says what it is told to', () => {
    expect(
      make({ domain: 'shop.example', path: '/app', sameSite: 'strict', maxAge: '1h', name: 'me' }).write(ID),
    ).toMatch(/^me=[^;]+; Max-Age=3600; Path=\/app; Domain=shop\.example; HttpOnly; Secure; SameSite=Strict$/)
    expect(make({ plainHttp: true }).write(ID)).toMatch(/^sid=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)
    expect(make({ sameSite: 'none' }).write(ID)).toMatch(/Secure; SameSite=None$/)
  })

  it('is read among others', () => {
    const value = textOf(make().write(ID))
    for (const header of [`__Host-sid=${value}`, `a=b; __Host-sid=${value}`, `x;=;__Host-sid=${value} ;y="1; 2"`])
      expect(make().read(header)).toEqual({ id: ID, resign: false })
    // One that was planted beside it.
    expect(make().read(`__Host-sid=${'A'.repeat(43)}.${'A'.repeat(43)}; __Host-sid=${value}`)?.id).toBe(ID)
  })

  it('is nothing, and no error, when it is not as we signed it', () => {
    const value = textOf(make().write(ID))
    const flipped = (at: number) => `${value.slice(0, at)}${value[at] === 'A' ? 'B' : 'A'}${value.slice(at + 1)}`
    const foreign = textOf(make({ name: '__Host-other' }).write(ID))
    const wrong = [
      ...[
        ID,
        `${ID}.`,
        `${ID}.x`,
        `.${value}`,
        `${value}x`,
        value.replace('.', '-'),
        `"${value}"`,
        '',
        foreign,
        encodeURIComponent(`${value}%`),
      ],
      ...Array.from({ length: value.length }, (_, at) => flipped(at)),
    ]
    for (const text of wrong) expect(make().read(`__Host-sid=${text}`), text).toBeUndefined()
    for (const header of [undefined, null, '', ';', '=', '__Host-sid', `__host-sid=${value}`, '\0'.repeat(100)])
      expect(make().read(header)).toBeUndefined()
    expect(make({ keys: OLD }).read(`__Host-sid=${value}`)).toBeUndefined()
    expect(
      make().read(
        Array(9)
          .fill(`__Host-sid=${ID}.${'A'.repeat(43)}`)
          .concat(`__Host-sid=${value}`)
          .join('; '),
      ),
    ).toBeUndefined()
  })

  it('is believed under older keys, and to be signed anew', () => {
    const before = textOf(make({ keys: OLD }).write(ID))
    const both = make({ keys: [KEY, OLD] })
    expect(both.read(`__Host-sid=${before}`)).toEqual({ id: ID, resign: true })
    expect(both.read(`__Host-sid=${textOf(both.write(ID))}`)).toEqual({ id: ID, resign: false })
    expect(make().read(`__Host-sid=${textOf(both.write(ID))}`)).toEqual({ id: ID, resign: false })
  })

  it('refuses what a browser would drop in silence, and keys that are none', () => {
    const wrong: [string, object][] = [
      ['keys[0]', { keys: 'short' }],
      ['keys[1]', { keys: [KEY, 5] }],
      ['keys', { keys: [] }],
      ['name', { name: '__Host-x', domain: 'shop.example' }],
      ['name', { name: '__host-x', path: '/app' }],
      ['name', { name: '__Secure-x', plainHttp: true }],
      ['name', { name: 'a b' }],
      ['domain', { domain: 'a; Secure' }],
      ['path', { path: 'app' }],
      ['path', { path: '/a;b' }],
      ['path', { path: '/a\r\nSet-Cookie: x' }],
      ['sameSite', { sameSite: 'Lax' }],
      ['sameSite', { sameSite: 'none', plainHttp: true }],
      ['maxAge', { maxAge: 'long' }],
      ['secure', { secure: true }],
    ]
    for (const [option, options] of wrong)
      expect(() => make(options), JSON.stringify(options)).toThrow(expect.objectContaining({ option }))
    try {
      make({ keys: 'secret word' })
    } catch (error) {
      expect(String(error)).not.toContain('secret word')
    }
  })
})
