/** For tests of routes: browsers without a window. */

import { type IncomingHttpHeaders, request } from 'node:http'

export type Visit = (path: string, init?: RequestInit) => Promise<Response>

/** A browser of our own pages: keeps its cookies, says where it comes from, follows nothing. */
export function visitOf(url: string): Visit {
  const jar = new Map<string, string>()
  return async (path, init = {}) => {
    const answer = await fetch(url + path, {
      redirect: 'manual',
      ...init,
      headers: { origin: url, accept: 'application/json', cookie: [...jar.values()].join('; '), ...init.headers },
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [set = ''] = cookie.split(';')
      const [name = ''] = set.split('=')
      if (cookie.includes('Max-Age=0')) jar.delete(name)
      else jar.set(name, set)
    }
    return answer
  }
}

export const json = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
})
export const form = (fields: Record<string, string>): RequestInit => ({
  method: 'POST',
  body: new URLSearchParams(fields),
})

/** A card that pays. */
export const GOOD = { number: '4242424242424242', expiry: '12/39', cvc: '123' }

/** One request from another address of this machine, where no other test comes from: '127.0.0.2'. */
export function askFrom(
  address: string,
  url: string,
  method: 'GET' | 'POST',
  fields: Record<string, string>,
): Promise<{ readonly status: number | undefined; readonly headers: IncomingHttpHeaders }> {
  const { origin } = new URL(url)
  const headers = {
    origin,
    accept: method === 'GET' ? 'text/html' : 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  }
  return new Promise((resolve, reject) => {
    request(url, { method, localAddress: address, headers }, (answer) => {
      answer.resume()
      resolve({ status: answer.statusCode, headers: answer.headers })
    })
      .on('error', reject)
      .end(new URLSearchParams(fields).toString())
  })
}
