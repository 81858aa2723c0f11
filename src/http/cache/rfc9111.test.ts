// What HTTP says of a cache that many share, rule by rule. The cache beneath is a real one.
import { describe, expect, it } from 'vitest'
import { type Handler, Site, statusOf } from './site.fixture.ts'

const site = new Site()
const SECOND = 1_000

let count = 0
/** A handler whose every answer is another. */
const says =
  (headers: Record<string, string>, status = 200): Handler =>
  () =>
    new Response(status === 204 || status === 304 ? null : `answer ${++count}`, { status, headers })

/** True if the second request was answered from what the first left. */
async function isStored(
  handler: Handler,
  {
    first = {},
    second = first,
    after = 0,
    ttl,
  }: { first?: Record<string, string>; second?: Record<string, string>; after?: number; ttl?: string } = {},
): Promise<boolean> {
  const ask = site.open(handler, ttl === undefined ? {} : { ttl: ttl as '1m' })
  await (await ask('/p', first)).text()
  await site.settled()
  site.pass(after)
  await (await ask('/p', second)).text()
  return site.asked.length === 1
}

describe('a response is stored', () => {
  it.each<[string, Record<string, string>, number]>([
    ['max-age', { 'cache-control': 'max-age=60' }, 59],
    ['s-maxage', { 'cache-control': 's-maxage=60, max-age=0' }, 59],
    ['Expires', { expires: 'Tue, 01 Jan 2030 00:01:00 GMT', date: 'Tue, 01 Jan 2030 00:00:00 GMT' }, 59],
    ['Expires in the oldest form', { expires: 'Tue Jan  1 00:01:00 2030' }, 59],
    ['max-age over Expires', { 'cache-control': 'max-age=60', expires: '0' }, 59],
    ['a quoted argument, in capitals', { 'cache-control': 'Max-Age="60"' }, 59],
    ['Pragma, which means nothing in a response', { 'cache-control': 'max-age=60', pragma: 'no-cache' }, 59],
    ['private for a field', { 'cache-control': 'max-age=60, private="x-user"' }, 59],
    ['must-understand, and understood', { 'cache-control': 'max-age=60, no-store, must-understand' }, 59],
  ])('by %s, and used until then', async (_, headers, seconds) => {
    expect(await isStored(says(headers), { after: seconds * SECOND })).toBe(true)
    site.pass(2 * SECOND)
    const before = site.asked.length
    await site.open(says(headers))('/p')
    expect(site.asked.length).toBe(before + 1)
  })

  it.each<[string, Record<string, string>]>([
    ['no lifetime', {}],
    ['no-store', { 'cache-control': 'no-store, max-age=60' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['max-age=0', { 'cache-control': 'max-age=0' }],
    ['max-age that is no number', { 'cache-control': 'max-age=soon' }],
    ['the smaller of two', { 'cache-control': 'max-age=60, max-age=0' }],
    ['no-cache without a validator', { 'cache-control': 'no-cache, max-age=60' }],
    ['Expires that is no date', { expires: '0' }],
    ['an Age beyond it', { 'cache-control': 'max-age=60', age: '60' }],
    ['a Date long ago', { 'cache-control': 'max-age=60', date: 'Mon, 31 Dec 2029 23:58:00 GMT' }],
    ['Set-Cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'sid=1' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: 'accept, *' }],
    ['a stream of events', { 'cache-control': 'max-age=60', 'content-type': 'text/event-stream' }],
  ])('not by %s', async (_, headers) => {
    expect(await isStored(says(headers))).toBe(false)
  })

  it.each([
    ...[200, 203, 300, 301, 308, 404, 405, 410, 414].map((status) => [status, true] as const),
    ...[201, 302, 303, 307, 400, 401, 403, 429, 500, 501, 502, 503, 504].map((status) => [status, false] as const),
  ])('by the option ttl with status %i: %s', async (status, stored) => {
    expect(await isStored(says({}, status), { ttl: '1m' })).toBe(stored)
  })

  it.each([...[200, 204, 302, 403, 404, 500, 503].map((status) => [status, true] as const), [206, false] as const])(
    'by its own max-age with status %i: %s',
    async (status, stored) => {
      expect(await isStored(says({ 'cache-control': 'max-age=60' }, status))).toBe(stored)
    },
  )

  it('by what it says itself rather than by the option', async () => {
    expect(await isStored(says({ 'cache-control': 'no-store' }), { ttl: '1m' })).toBe(false)
    expect(await isStored(says({ 'cache-control': 'max-age=5' }), { ttl: '1m', after: 6 * SECOND })).toBe(false)
  })

  it('for the option ttl, and no longer', async () => {
    expect(await isStored(says({}), { ttl: '1m', after: 59 * SECOND })).toBe(true)
    site.pass(2 * SECOND)
    expect(await isStored(says({}), { ttl: '1m' })).toBe(false)
  })
})

describe('a request with', () => {
  const LASTING = { 'cache-control': 'max-age=60' }
  it.each<[string, string | undefined, boolean]>([
    ['nothing of its own', undefined, true],
    ['no-cache', 'no-cache', false],
    ['no-store', 'no-store', false],
    ['max-age below the age', 'max-age=9', false],
    ['max-age above the age', 'max-age=11', true],
    ['max-age=0', 'max-age=0', false],
    ['min-fresh below what is left', 'min-fresh=49', true],
    ['min-fresh above what is left', 'min-fresh=51', false],
    ['only-if-cached', 'only-if-cached', true],
    ['what it does not know', 'no-transform, x=y', true],
  ])('%s is answered from what is stored for 10 s: %s', async (_, directives, stored) => {
    const second: Record<string, string> = directives === undefined ? {} : { 'cache-control': directives }
    expect(await isStored(says(LASTING), { first: {}, second, after: 10 * SECOND })).toBe(stored)
  })

  it.each<[string, string, string, boolean]>([
    ['max-stale', 'max-age=60', 'max-stale', true],
    ['max-stale of enough', 'max-age=60', 'max-stale=10', true],
    ['max-stale of too little', 'max-age=60', 'max-stale=9', false],
    ['max-stale, against must-revalidate', 'max-age=60, must-revalidate', 'max-stale', false],
    ['max-stale, against proxy-revalidate', 'max-age=60, proxy-revalidate', 'max-stale', false],
    ['max-stale, against s-maxage', 's-maxage=60', 'max-stale', false],
  ])('%s is answered by what is stale for 10 s: %s', async (_, said, directives, stored) => {
    const handler = says({ 'cache-control': said, etag: '"1"' })
    const how = { first: {}, second: { 'cache-control': directives }, after: 70 * SECOND }
    expect(await isStored(handler, how)).toBe(stored)
  })

  it('only-if-cached is answered 504 where nothing is stored', async () => {
    const ask = site.open(says(LASTING))
    const response = await ask('/p', { 'cache-control': 'only-if-cached' })
    expect([response.status, statusOf(response)]).toEqual([504, 'Holdfast; fwd=miss; detail=only-if-cached'])
    expect(site.asked).toHaveLength(0)
  })

  it('Pragma alone is as one without', async () => {
    expect(await isStored(says(LASTING), { first: {}, second: { pragma: 'no-cache' } })).toBe(true)
  })

  it('Range is left alone, and so is its answer', async () => {
    const ask = site.open((request) =>
      request.headers.has('range')
        ? new Response('an', { status: 206, headers: { ...LASTING, 'content-range': 'bytes 0-1/6' } })
        : new Response('answer', { headers: LASTING }),
    )
    const part = await ask('/p', { range: 'bytes=0-1' })
    expect([part.status, await part.text(), statusOf(part)]).toEqual([206, 'an', 'Holdfast; fwd=bypass; detail=range'])
    expect(await (await ask('/p')).text()).toBe('answer')
    expect((await ask('/p', { range: 'bytes=0-1' })).status).toBe(206)
  })

  it('no-cache has it made anew, for the next one too', async () => {
    const ask = site.open(says(LASTING))
    const first = await (await ask('/p')).text()
    const again = await ask('/p', { 'cache-control': 'no-cache' })
    expect(statusOf(again)).toBe('Holdfast; fwd=request; fwd-status=200; stored')
    const second = await again.text()
    expect(second).not.toBe(first)
    await site.settled()
    expect(await (await ask('/p')).text()).toBe(second)
  })
})

describe('credentials', () => {
  const AUTH = { authorization: 'Bearer a' }
  const COOKIE = { cookie: 'sid=a' }
  it.each<[string, Record<string, string>, Record<string, string>, Record<string, string>, boolean]>([
    ['Authorization', { 'cache-control': 'max-age=60' }, AUTH, AUTH, false],
    ['Authorization, public', { 'cache-control': 'max-age=60, public' }, AUTH, { authorization: 'b' }, true],
    ['Authorization, s-maxage', { 'cache-control': 's-maxage=60' }, AUTH, {}, true],
    ['Authorization, must-revalidate', { 'cache-control': 'max-age=60, must-revalidate' }, AUTH, AUTH, true],
    ['a cookie', { 'cache-control': 'max-age=60' }, COOKIE, COOKIE, false],
    ['a cookie, must-revalidate', { 'cache-control': 'max-age=60, must-revalidate' }, COOKIE, COOKIE, false],
    ['a cookie, public', { 'cache-control': 'max-age=60, public' }, COOKIE, {}, true],
    ['a cookie, after one without', { 'cache-control': 'max-age=60' }, {}, COOKIE, false],
    ['Authorization, after one without', { 'cache-control': 'max-age=60' }, {}, AUTH, false],
    ['none, after a cookie', { 'cache-control': 'max-age=60' }, COOKIE, {}, false],
  ])('%s: shared %s %s %s %s', async (_, headers, first, second, stored) => {
    expect(await isStored(says(headers), { first, second })).toBe(stored)
  })

  it('keep nobody else from the cache', async () => {
    const ask = site.open(says({}), { ttl: '1m' })
    for (let i = 0; i < 3; i++) await ask('/p', AUTH)
    await ask('/p')
    await ask('/p')
    expect(site.asked).toHaveLength(4)
  })

  it('are one of the key where `vary`, `cookies` or `key` say so', async () => {
    const own: Handler = (request) =>
      new Response(`${request.headers.get('cookie')} ${request.headers.get('authorization')}`)
    for (const options of [
      { vary: ['Cookie', 'Authorization'] },
      { cookies: ['sid'], vary: ['authorization'] },
      { key: (request: Request) => `${request.headers.get('cookie')}${request.headers.get('authorization')}` },
    ]) {
      await site.cache.clear()
      site.asked = []
      const ask = site.open(own, { ttl: '1m', ...options })
      for (let i = 0; i < 2; i++)
        for (const who of ['a', 'b', 'c']) {
          const response = await ask('/p', { cookie: `sid=${who}`, authorization: who })
          expect(await response.text()).toBe(`sid=${who} ${who}`)
        }
      expect(site.asked).toHaveLength(3)
    }
  })

  it('that are other cookies than those named change nothing', async () => {
    const ask = site.open(says({}), { ttl: '1m', cookies: ['lang'] })
    const texts = []
    for (const cookie of ['a=1; lang=de', 'lang=de; b=2', 'lang=fr', 'xlang=de'])
      texts.push(await (await ask('/p', { cookie })).text())
    expect(new Set(texts).size).toBe(3)
    expect(texts[0]).toBe(texts[1])
  })

  it('are none of the cache where `key` answers undefined', async () => {
    const ask = site.open(says({}), { ttl: '1m', key: () => undefined })
    expect(statusOf(await ask('/p'))).toBe('Holdfast; fwd=bypass; detail=key')
    await ask('/p')
    expect(site.asked).toHaveLength(2)
  })
})

describe('what is served', () => {
  it('has its age, its date, and says that it was stored', async () => {
    const ask = site.open(() => new Response('x', { headers: { 'cache-control': 'max-age=60', age: '10' } }))
    expect(statusOf(await ask('/p'))).toBe('Holdfast; fwd=miss; fwd-status=200; stored')
    await site.settled()
    site.pass(7_500)
    const { headers } = await ask('/p')
    expect(headers.get('age')).toBe('17')
    expect(headers.get('date')).toBe('Tue, 01 Jan 2030 00:00:00 GMT')
    expect(headers.get('cache-status')).toBe('Holdfast; hit; ttl=42')
    expect(headers.get('content-length')).toBe('1')
  })

  it('is without the headers of a connection, and without those that are kept out by name', async () => {
    const kept = { 'cache-control': 'max-age=60, private="x-user", no-cache="set-cookie"', 'x-kept': 'yes' }
    const dropped = {
      connection: 'x-hop',
      'x-hop': '1',
      'keep-alive': 'timeout=5',
      'x-user': 'ann',
      'set-cookie': 'a=1',
    }
    const ask = site.open(() => new Response('x', { headers: { ...kept, ...dropped } }))
    expect((await ask('/p')).headers.get('set-cookie')).toBe('a=1')
    await site.settled()
    const { headers } = await ask('/p')
    expect(site.asked).toHaveLength(1)
    expect(headers.get('x-kept')).toBe('yes')
    for (const name of Object.keys(dropped)) expect(headers.has(name), name).toBe(false)
  })

  it('keeps the line of a cache before it', async () => {
    const upstream = { 'cache-control': 'max-age=60', 'cache-status': 'Upstream; fwd=miss' }
    const ask = site.open(() => new Response('x', { headers: upstream }))
    await ask('/p')
    await site.settled()
    expect(statusOf(await ask('/p'))).toBe('Upstream; fwd=miss, Holdfast; hit; ttl=60')
    const silent = site.open(() => new Response('x', { headers: upstream }), { cacheStatus: false })
    expect(statusOf(await silent('/q'))).toBe('Upstream; fwd=miss')
  })

  it('answers HEAD from a stored GET, and asks the handler for no GET that was not asked for', async () => {
    const ask = site.open(() => new Response('12345', { headers: { 'cache-control': 'max-age=60' } }))
    expect(statusOf(await ask('/p', {}, { method: 'HEAD' }))).toBe('Holdfast; fwd=miss; detail=head')
    expect(site.asked.map(({ method }) => method)).toEqual(['HEAD'])
    await ask('/p')
    await site.settled()
    const head = await ask('/p', {}, { method: 'HEAD' })
    expect([head.headers.get('content-length'), await head.text(), statusOf(head)]).toEqual([
      '5',
      '',
      'Holdfast; hit; ttl=60',
    ])
    expect(site.asked).toHaveLength(2)
  })
})

describe('a method that is not safe', () => {
  it.each([
    ['POST', 200, 2],
    ['PUT', 204, 2],
    ['PATCH', 303, 2],
    ['DELETE', 404, 1],
    ['POST', 500, 1],
    ['OPTIONS', 200, 1],
  ])('%s answered %i leaves %i loads', async (method, status, loads) => {
    const ask = site.open(
      (request) => (request.method === 'GET' ? new Response('x') : new Response(null, { status })),
      { ttl: '1m' },
    )
    await ask('/p')
    await site.settled()
    expect(statusOf(await ask('/p', {}, { method }))).toBe('Holdfast; fwd=method')
    await ask('/p')
    expect(site.asked.filter((request) => request.method === 'GET')).toHaveLength(loads)
  })

  it('invalidates what its answer names too, of the same origin', async () => {
    const ask = site.open(
      (request) =>
        request.method === 'GET'
          ? new Response('x')
          : new Response(null, {
              status: 201,
              headers: { location: '/made', 'content-location': 'http://other.test/far' },
            }),
      { ttl: '1m' },
    )
    await ask('/made')
    await site.settled()
    await ask('/p', {}, { method: 'POST' })
    await ask('/made')
    expect(site.asked.filter((request) => request.method === 'GET')).toHaveLength(2)
  })

  it('invalidates nothing where the option says so', async () => {
    const ask = site.open(says({}), { ttl: '1m', unsafe: 'ignore' })
    await ask('/p')
    await site.settled()
    await ask('/p', {}, { method: 'POST' })
    await ask('/p')
    expect(site.asked).toHaveLength(2)
  })
})
