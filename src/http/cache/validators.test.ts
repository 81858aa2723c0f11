// Validators, staleness and variants: what is asked again, what is served meanwhile, and to whom.
import { describe, expect, it } from 'vitest'
import { type Handler, Site, statusOf } from './site.fixture.ts'

const site = new Site()
const LASTING = { 'cache-control': 'max-age=60' }

describe('validators', () => {
  it('are made of the body where the handler has none: strong, the same for the same bytes', async () => {
    const ask = site.open((request) => new Response(request.url.endsWith('a') ? 'same' : 'other', { headers: LASTING }))
    const first = await ask('/a')
    const etag = first.headers.get('etag') as string
    expect(etag).toMatch(/^"[\w-]{27}"$/)
    await site.settled()
    expect((await ask('/a')).headers.get('etag')).toBe(etag)
    expect((await ask('/b')).headers.get('etag')).not.toBe(etag)
  })

  it('of the handler stay what they are', async () => {
    const ask = site.open(() => new Response('x', { headers: { ...LASTING, etag: 'W/"v1"' } }))
    await ask('/p')
    await site.settled()
    expect((await ask('/p')).headers.get('etag')).toBe('W/"v1"')
  })

  const MODIFIED = 'Mon, 31 Dec 2029 00:00:00 GMT'
  it.each<[string, Record<string, string>, number]>([
    ['If-None-Match of it', { 'if-none-match': '"v1"' }, 304],
    ['If-None-Match of it, weakly, among others', { 'if-none-match': '"v0", W/"v1"' }, 304],
    ['If-None-Match of another', { 'if-none-match': '"v2"' }, 200],
    ['If-None-Match of any', { 'if-none-match': '*' }, 304],
    ['If-Modified-Since then', { 'if-modified-since': MODIFIED }, 304],
    ['If-Modified-Since before', { 'if-modified-since': 'Sun, 30 Dec 2029 00:00:00 GMT' }, 200],
    ['If-Modified-Since of no date', { 'if-modified-since': '0' }, 200],
    ['both, which disagree', { 'if-none-match': '"v2"', 'if-modified-since': MODIFIED }, 200],
  ])('%s is answered %s %i, when nothing is stored and when it is', async (_, headers, status) => {
    const ask = site.open(
      () => new Response('body', { headers: { ...LASTING, etag: '"v1"', 'last-modified': MODIFIED, 'x-kept': '1' } }),
    )
    for (const text of [status === 304 ? '' : 'body', status === 304 ? '' : 'body']) {
      const response = await ask('/p', headers)
      expect([response.status, await response.text()]).toEqual([status, text])
      expect(response.headers.get('etag')).toBe('"v1"')
      expect(response.headers.get('x-kept')).toBe('1')
      expect(response.headers.has('content-type')).toBe(status === 200)
      await site.settled()
    }
    // What was stored by a conditional request is the whole, for those who have nothing.
    expect(await (await ask('/p')).text()).toBe('body')
    expect(site.asked).toHaveLength(1)
    expect([...(site.asked[0] as Request).headers.keys()]).toEqual([])
  })

  it.each(['if-match', 'if-unmodified-since', 'if-range'])('%s is left to the handler', async (name) => {
    const ask = site.open(() => new Response('x', { headers: LASTING }))
    await ask('/p')
    expect(statusOf(await ask('/p', { [name]: '"v1"' }))).toBe(`Holdfast; fwd=bypass; detail=${name}`)
    expect(site.asked[1]?.headers.get(name)).toBe('"v1"')
  })

  it('are asked about once it is stale: a 304 makes what is stored fresh, with its new headers, for as long', async () => {
    const ask = site.open((request) =>
      request.headers.get('if-none-match') === '"v1"'
        ? new Response(null, { status: 304, headers: { ...LASTING, etag: '"v1"', 'x-turn': '2' } })
        : new Response('body', { headers: { ...LASTING, etag: '"v1"', 'x-turn': '1', 'content-type': 'text/x' } }),
    )
    await ask('/p')
    await site.settled()
    site.pass(61_000)
    const again = await ask('/p')
    expect([again.status, await again.text(), statusOf(again)]).toEqual([
      200,
      'body',
      'Holdfast; fwd=stale; fwd-status=304; stored',
    ])
    await site.settled()
    site.pass(59_000)
    const third = await ask('/p')
    expect(statusOf(third)).toMatch(/^Holdfast; hit; ttl=[01]$/)
    expect([third.headers.get('x-turn'), third.headers.get('content-type')]).toEqual(['2', 'text/x'])
    expect(site.asked).toHaveLength(2)
  })

  it('of our own are never asked about', async () => {
    const ask = site.open(() => new Response('x'), { ttl: '1m', stale: { whileRevalidate: '1h' } })
    await ask('/p')
    await site.settled()
    site.pass(61_000)
    await ask('/p')
    await site.settled()
    expect(site.asked.map(({ headers }) => headers.has('if-none-match'))).toEqual([false, false])
  })

  it('with no-cache are asked about each time', async () => {
    const ask = site.open((request) =>
      request.headers.has('if-none-match')
        ? new Response(null, { status: 304, headers: { 'cache-control': 'no-cache', etag: '"1"' } })
        : new Response('x', { headers: { 'cache-control': 'no-cache', etag: '"1"' } }),
    )
    for (let i = 0; i < 3; i++) {
      expect(await (await ask('/p')).text()).toBe('x')
      await site.settled()
    }
    expect(site.asked.map(({ headers }) => headers.get('if-none-match'))).toEqual([null, '"1"', '"1"'])
  })
})

describe('what is stale', () => {
  const numbered = (headers: Record<string, string>): Handler => {
    let turn = 0
    return () => new Response(`turn ${++turn}`, { headers })
  }

  it.each<[string, Record<string, string>, object]>([
    ['of its own', { 'cache-control': 'max-age=60, stale-while-revalidate=30' }, {}],
    ['of its own, beside s-maxage', { 'cache-control': 's-maxage=60, stale-while-revalidate=30' }, {}],
    ['of the options', {}, { ttl: '1m', stale: { whileRevalidate: '30s' } }],
  ])('is served while it is made anew, by stale-while-revalidate %s', async (_, headers, options) => {
    const ask = site.open(numbered(headers), options)
    await ask('/p')
    await site.settled()
    site.pass(70_000)
    const many = await Promise.all(Array.from({ length: 5 }, () => ask('/p')))
    for (const response of many) {
      expect(await response.text()).toBe('turn 1')
      expect(statusOf(response)).toMatch(/^Holdfast; hit; ttl=-1[01]; detail=stale-while-revalidate$/)
    }
    await site.settled()
    expect(await (await ask('/p')).text()).toBe('turn 2')
    expect(site.asked).toHaveLength(2)
    site.pass(91_000)
    expect(await (await ask('/p')).text()).toBe('turn 3')
  })

  it('is never served against must-revalidate', async () => {
    const ask = site.open(numbered({ 'cache-control': 'max-age=60, stale-while-revalidate=30, must-revalidate' }))
    await ask('/p')
    site.pass(61_000)
    expect(await (await ask('/p')).text()).toBe('turn 2')
  })

  const failing = (headers: Record<string, string>, fail: () => Response): Handler & { down: boolean } => {
    const handler = Object.assign(() => (handler.down ? fail() : new Response('fine', { headers })), { down: false })
    return handler
  }
  const broken = () => {
    throw new Error('no database')
  }

  it.each<[string, () => Response, Record<string, string>, object, string]>([
    [
      'answers 503',
      () => new Response('sorry', { status: 503 }),
      { 'cache-control': 'max-age=60, stale-if-error=30' },
      {},
      '; fwd-status=503',
    ],
    ['throws', broken, { 'cache-control': 'max-age=60, stale-if-error=30' }, {}, ''],
    ['throws, by the options', broken, {}, { ttl: '1m', stale: { ifError: '30s' } }, ''],
  ])('is served to all while the handler %s, and made anew after', async (_, fail, headers, options, told) => {
    const handler = failing(headers, fail)
    const ask = site.open(handler, options)
    await ask('/p')
    await site.settled()
    site.pass(70_000)
    handler.down = true
    const many = await Promise.all(Array.from({ length: 5 }, () => ask('/p')))
    for (const response of many) {
      expect([response.status, await response.text()]).toEqual([200, 'fine'])
      expect(statusOf(response)).toMatch(/^Holdfast; fwd=stale;( fwd-status=503;)? detail=stale-if-error$/)
    }
    expect(statusOf(many[0] as Response)).toContain(`fwd=stale${told}`)
    expect(site.asked).toHaveLength(2)
    handler.down = false
    await site.settled()
    expect(statusOf(await ask('/p'))).toBe('Holdfast; fwd=stale; fwd-status=200; stored')
  })

  it('is not served on an error after its time, or where nothing allows it', async () => {
    for (const [said, after] of [
      ['max-age=60, stale-if-error=30', 91_000],
      ['max-age=60', 61_000],
      ['max-age=60, stale-if-error=30, must-revalidate', 61_000],
    ] as const) {
      await site.cache.clear()
      const handler = failing({ 'cache-control': said, etag: '"1"' }, () => new Response('sorry', { status: 503 }))
      const ask = site.open(handler)
      await ask('/p')
      await site.settled()
      site.pass(after)
      handler.down = true
      expect((await ask('/p')).status).toBe(503)
    }
  })

  it('is served on an error to a client who says so himself', async () => {
    const handler = failing({ ...LASTING, etag: '"1"' }, broken)
    const ask = site.open(handler)
    await ask('/p')
    await site.settled()
    site.pass(61_000)
    handler.down = true
    expect((await ask('/p', { 'cache-control': 'stale-if-error=10' })).status).toBe(200)
    await expect(ask('/p')).rejects.toThrow('no database')
  })

  it('is gone when what replaces it is for one alone', async () => {
    let isPrivate = false
    const ask = site.open(
      () =>
        new Response('x', { headers: { 'cache-control': isPrivate ? 'private' : 'max-age=60, stale-if-error=600' } }),
    )
    await ask('/p')
    await site.settled()
    site.pass(61_000)
    isPrivate = true
    expect(statusOf(await ask('/p'))).toBe('Holdfast; fwd=stale; fwd-status=200; detail=private')
    await site.settled()
    expect(await site.cache.peek('http://shop.test/p')).toBeUndefined()
  })
})

describe('variants', () => {
  const byLanguage: Handler = (request) =>
    new Response(request.headers.get('accept-language'), { headers: { ...LASTING, vary: 'Accept-Language' } })

  it('are told apart by what Vary names, and by nothing else', async () => {
    const ask = site.open(byLanguage)
    for (let i = 0; i < 2; i++) {
      for (const language of ['de', 'fr', 'de, fr'])
        expect(await (await ask('/p', { 'accept-language': language, 'x-other': String(i) })).text()).toBe(language)
      await site.settled()
    }
    expect(site.asked).toHaveLength(3)
    expect(await (await ask('/p')).text()).toBe('')
  })

  it('that learn of a further header are told apart by both from then on', async () => {
    const ask = site.open((request) => {
      const vary = request.headers.get('accept-language') === 'de' ? 'accept-language' : 'accept, accept-language'
      return new Response(`${request.headers.get('accept-language')} ${request.headers.get('accept')}`, {
        headers: { ...LASTING, vary },
      })
    })
    const requests = [
      ['de', 'a'],
      ['fr', 'a'],
      ['fr', 'b'],
      ['de', 'a'],
      ['fr', 'a'],
    ]
    for (let i = 0; i < 3; i++) {
      for (const [language, accept] of requests) {
        const response = await ask('/p', { 'accept-language': language as string, accept: accept as string })
        expect(await response.text()).toBe(`${language} ${accept}`)
      }
      await site.settled()
    }
    const before = site.asked.length
    for (const [language, accept] of requests)
      await ask('/p', { 'accept-language': language as string, accept: accept as string })
    expect(site.asked).toHaveLength(before)
  })

  it('are removed together', async () => {
    const ask = site.open(byLanguage)
    for (const language of ['de', 'fr']) await ask('/p', { 'accept-language': language })
    await site.settled()
    await ask.purge('http://shop.test/p')
    for (const language of ['de', 'fr']) await ask('/p', { 'accept-language': language })
    expect(site.asked).toHaveLength(4)
  })

  it('of an encoding are for those alone who can decode it, also where Vary does not say so', async () => {
    const ask = site.open((request) =>
      /br(?!;q=0,)/.test(request.headers.get('accept-encoding') ?? '')
        ? new Response('packed', { headers: { ...LASTING, 'content-encoding': 'br' } })
        : new Response('plain', { headers: LASTING }),
    )
    const first = await ask('/p', { 'accept-encoding': 'gzip, br' })
    expect(first.headers.get('vary')).toBe('accept-encoding')
    await site.settled()
    expect(await (await ask('/p', { 'accept-encoding': 'br;q=0.5,gzip' })).text()).toBe('packed')
    expect(await (await ask('/p', { 'accept-encoding': 'br;q=0, gzip' })).text()).toBe('plain')
    expect(await (await ask('/p')).text()).toBe('plain')
    expect(site.asked).toHaveLength(3)
  })

  it("are no more than the option says, whatever a client thinks of; and never another's", async () => {
    const ask = site.open(byLanguage, { maxVariants: 4 })
    for (let i = 0; i < 40; i++) expect(await (await ask('/p', { 'accept-language': `l${i}` })).text()).toBe(`l${i}`)
    const many = Array.from({ length: 40 }, (_, i) => `m${i}`)
    const answers = await Promise.all(
      many.map(async (language) => (await ask('/p', { 'accept-language': language })).text()),
    )
    expect(answers).toEqual(many)
    await site.settled()
    // The record, and the variants.
    expect(await site.cache.invalidatePattern('http://shop.test/p*')).toBeLessThanOrEqual(5)
  })

  it('by the option are in Vary too, for the caches behind', async () => {
    const ask = site.open(() => new Response('x', { headers: { vary: 'Origin' } }), {
      ttl: '1m',
      vary: ['X-Tenant'],
      cookies: ['lang'],
    })
    for (let i = 0; i < 2; i++) {
      expect((await ask('/p')).headers.get('vary')).toBe('Origin, cookie, x-tenant')
      await site.settled()
    }
  })
})
