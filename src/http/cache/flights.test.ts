// Many at once, bodies of every kind, odd URLs, purges, and a Redis that is away.
import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { connect } from '../../index.ts'
import { testNamespace } from '../../testing/index.ts'
import { cacheResponse, responseTags } from '../fetch.ts'
import { Site, statusOf } from './site.fixture.ts'

const site = new Site()
const LASTING = { 'cache-control': 'max-age=60' }
const textOf = async (response: Promise<Response>) => (await response).text()

/** A gate that a handler waits at. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

const unhandled: unknown[] = []
const onUnhandled = (error: unknown) => void unhandled.push(error)
process.on('unhandledRejection', onUnhandled)
afterEach(() => expect(unhandled.splice(0)).toEqual([]))

describe('many who miss the same', () => {
  it('run the handler once, and each has all of its answer', async () => {
    const { opened, open } = gate()
    const ask = site.open(async () => {
      await opened
      return new Response('one', { headers: LASTING })
    })
    const all = Array.from({ length: 50 }, () => ask('/p'))
    await vi.waitFor(() => expect(site.asked).toHaveLength(1))
    open()
    const responses = await Promise.all(all)
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(Array(50).fill('one'))
    expect(site.asked).toHaveLength(1)
    const statuses = responses.map(statusOf)
    expect(statuses.filter((status) => status === 'Holdfast; fwd=miss; fwd-status=200; stored')).toHaveLength(1)
    expect(statuses.filter((status) => status === 'Holdfast; fwd=miss; collapsed')).toHaveLength(49)
  })

  it('across processes too, where the cache loads once per fleet', async () => {
    const other = await connect(site.server.url, { namespace: site.hf.server && (await namespaceOf(site)) })
    const { opened, open } = gate()
    let runs = 0
    const handler = async () => {
      runs++
      await opened
      return new Response('one', { headers: LASTING })
    }
    const [a, b] = [site.hf, other].map((hf) =>
      cacheResponse(hf.cache('fleet', { ttl: '1h', stampede: 'fleet' }))(handler),
    )
    const all = [a, b, a, b].map((ask) => (ask as NonNullable<typeof a>)(new Request('http://shop.test/p')))
    await vi.waitFor(() => expect(runs).toBe(1))
    open()
    expect(await Promise.all(all.map(textOf))).toEqual(Array(4).fill('one'))
    expect(runs).toBe(1)
    await other.close()
  })

  it.each<[string, Record<string, string>]>([
    ['is private', { 'cache-control': 'private, max-age=60' }],
    ['sets a cookie', { ...LASTING, 'set-cookie': 'sid=1' }],
  ])('get none of an answer that %s: each has his own', async (_, headers) => {
    const { opened, open } = gate()
    let runs = 0
    const ask = site.open(async () => {
      const run = ++runs
      await opened
      return new Response(`for ${run}`, { headers })
    })
    const all = Array.from({ length: 10 }, () => ask('/p'))
    await vi.waitFor(() => expect(runs).toBe(1))
    open()
    const texts = await Promise.all(all.map(textOf))
    expect(new Set(texts).size).toBe(10)
  })

  it('of what is known not to be shared do not wait for each other', async () => {
    let { opened, open } = gate()
    const ask = site.open(async () => {
      await opened
      return new Response('x', { headers: { 'cache-control': 'private' } })
    })
    open()
    await ask('/p')
    await site.settled()
    ;({ opened, open } = gate())
    const all = Array.from({ length: 5 }, () => ask('/p'))
    await vi.waitFor(() => expect(site.asked).toHaveLength(6))
    open()
    for (const response of await Promise.all(all)) expect(statusOf(response)).toContain('detail=unshared')
  })

  it('hear the failure of the handler that they waited for, and it is not cached', async () => {
    let runs = 0
    const ask = site.open(() => {
      if (++runs === 1) throw new Error('failure 1')
      return new Response('fine', { headers: LASTING })
    })
    const ends = await Promise.allSettled([ask('/p'), ask('/p'), ask('/p')])
    expect(ends.map((end) => end.status === 'rejected' && String(end.reason))).toEqual(
      Array(3).fill('Error: failure 1'),
    )
    expect(await textOf(ask('/p'))).toBe('fine')
  })

  it('are served though the one whose request runs the handler has gone', async () => {
    const { opened, open } = gate()
    const ask = site.open(async (request) => {
      await opened
      request.signal.throwIfAborted()
      return new Response('one', { headers: LASTING })
    })
    const leaving = new AbortController()
    const first = ask('/p', {}, { signal: leaving.signal })
    await vi.waitFor(() => expect(site.asked).toHaveLength(1))
    const second = ask('/p')
    leaving.abort()
    open()
    expect(await textOf(second)).toBe('one')
    expect(await textOf(first)).toBe('one')
    expect(site.asked).toHaveLength(1)
  })
})

async function namespaceOf({ cache, server }: Site): Promise<string> {
  await cache.set('probe', 1)
  const keys = await server.command<string[]>('KEYS', '*:cache:pages:probe*')
  return /^\{(.*):cache:/.exec(keys.at(-1) as string)?.[1] as string
}

describe('a body', () => {
  it.each([
    ['of bytes that are no text', randomBytes(1_000)],
    ['of text beyond ASCII, with a mark of order', Buffer.from('\uFEFFgrüße 👋\0')],
    ['of nothing', Buffer.alloc(0)],
    ['of a number', Buffer.from('12')],
  ])('%s comes back as it was', async (_, bytes) => {
    const ask = site.open(() => new Response(bytes, { headers: LASTING }))
    for (let i = 0; i < 2; i++) {
      expect(Buffer.from(await (await ask('/p')).arrayBuffer()).equals(bytes)).toBe(true)
      await site.settled()
    }
    expect(site.asked).toHaveLength(1)
  })

  it('that streams goes to its client as it comes, and is stored when it has ended', async () => {
    const { opened, open } = gate()
    const ask = site.open(
      () =>
        new Response(
          new ReadableStream({
            async start(controller) {
              controller.enqueue(Buffer.from('first '))
              await opened
              controller.enqueue(Buffer.from('second'))
              controller.close()
            },
          }),
          { headers: LASTING },
        ),
    )
    const response = await ask('/p')
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    expect(String(Buffer.from((await reader.read()).value as Uint8Array))).toBe('first ')
    const waiting = ask('/p')
    // Its client goes; the one who waits has the whole.
    await reader.cancel()
    open()
    expect(await textOf(waiting)).toBe('first second')
    await site.settled()
    expect(statusOf(await ask('/p'))).toContain('Holdfast; hit')
  })

  it('that is too large goes through whole, to each his own, and is not stored', async () => {
    const chunk = Buffer.alloc(300, 'x')
    let pulled = 0
    const ask = site.open(
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              if (++pulled % 10 === 0) controller.close()
              else controller.enqueue(chunk)
            },
          }),
          { headers: LASTING },
        ),
      { maxBytes: 1_000 },
    )
    const texts = await Promise.all([1, 2].map(() => textOf(ask('/p'))))
    expect(texts.map(({ length }) => length)).toEqual([2_700, 2_700])
    await site.settled()
    expect(await site.cache.peek('http://shop.test/p')).toBeUndefined()
    await ask('/p')
    expect(site.asked).toHaveLength(3)
  })

  it('that breaks off breaks off for its client, and is not stored', async () => {
    const ask = site.open(
      () =>
        new Response(
          new ReadableStream({
            async pull(controller) {
              await new Promise((resolve) => setImmediate(resolve))
              controller.enqueue(Buffer.from('half'))
              controller.error(new Error('torn'))
            },
          }),
          { headers: LASTING },
        ),
    )
    await expect((await ask('/p')).text()).rejects.toThrow('torn')
    await site.settled()
    expect(await site.cache.peek('http://shop.test/p')).toBeUndefined()
  })
})

describe('the key', () => {
  it('keeps apart what a handler may tell apart', async () => {
    const ask = site.open((request) => new Response(request.url), { ttl: '1m' })
    const paths = [
      '/',
      '/?',
      '/a',
      '/A',
      '/a/',
      '/a//',
      '/a?',
      '/a?b',
      '/a?b=',
      '/a%2Fb',
      '/a/b',
      '/a%20b',
      '/a+b',
      '/{x}',
      '/a?c=1&b=2',
      '/a?b=2&c=1',
      '/a:b',
      '/*',
      '/?x=*',
      '/%F0%9F%91%8B',
      `/${'l'.repeat(5_000)}`,
      `/${'l'.repeat(5_001)}`,
    ]
    for (let i = 0; i < 2; i++) {
      for (const path of paths) expect(await textOf(ask(path))).toBe(new Request(`http://shop.test${path}`).url)
      await site.settled()
    }
    expect(site.asked).toHaveLength(new Set(paths.map((path) => new Request(`http://shop.test${path}`).url)).size)
  })

  it('is of the host, and of nothing that a client may say of another', async () => {
    const ask = site.open((request) => new Response(request.headers.get('x-forwarded-host') ?? 'none'), { ttl: '1m' })
    await ask('/p', { 'x-forwarded-host': 'evil.test' })
    await site.settled()
    expect(await textOf(ask('/p'))).toBe('evil.test')
    const keys = await site.server.command<string[]>('KEYS', '*')
    expect(keys.filter((key) => key.includes('evil'))).toEqual([])
    const other = await ask.wrapped(new Request('http://other.test/p'))
    expect(await other.text()).toBe('none')
    // What a handler heeds belongs into the key.
    const heeding = site.open((request) => new Response(request.headers.get('x-forwarded-host') ?? 'none'), {
      ttl: '1m',
      vary: ['X-Forwarded-Host'],
    })
    await heeding('/q', { 'x-forwarded-host': 'evil.test' })
    expect(await textOf(heeding('/q'))).toBe('none')
  })

  it('has those parameters of the query that the option names, in any order', async () => {
    const ask = site.open((request) => new Response(request.url), { ttl: '1m', query: ['page', 'ö'] })
    for (const path of [
      '/p?page=1&utm=a',
      '/p?utm=b&page=1',
      '/p?x=1&page=1&%C3%B6=2',
      '/p?%c3%b6=2&page=1',
      '/p',
      '/p?utm=c',
    ])
      await ask(path)
    expect(site.asked.map(({ url }) => url.slice(16))).toEqual([
      '/p?page=1&utm=a',
      '/p?x=1&page=1&%C3%B6=2',
      '/p?%c3%b6=2&page=1',
      '/p',
    ])
  })
})

describe('a purge', () => {
  it('of a URL or a path removes it, and voids what is on its way', async () => {
    const { opened, open } = gate()
    let turn = 0
    const ask = site.open(async () => {
      const mine = ++turn
      if (mine === 2) await opened
      return new Response(`turn ${mine}`, { headers: LASTING })
    })
    await ask('/p')
    await site.settled()
    await ask.purge('http://shop.test/p')
    const late = ask('/p')
    await vi.waitFor(() => expect(turn).toBe(2))
    await ask.purge('/p')
    open()
    expect(await textOf(late)).toBe('turn 2')
    await site.settled()
    expect(await textOf(ask('/p'))).toBe('turn 3')
    expect(await textOf(ask('/p'))).toBe('turn 3')
  })

  it('of a path removes that path at every host, and nothing that only ends or begins so', async () => {
    const { wrapped, purge } = site.open(() => new Response('x', { headers: LASTING }))
    // Longer than ids are.
    const long = `/${'long/'.repeat(500)}`
    const paths = ['/42', '/de/42', '/42/', '/42?x=1', '/142', '/?to=http://h/42', '/a*', '/ab', long, `/de${long}`]
    const urls = [...paths.map((path) => `http://shop.test${path}`), 'https://h:8080/42', 'https://h:8080/de/42']
    const stored = async () => {
      const headers = { 'cache-control': 'only-if-cached' }
      const found = await Promise.all(urls.map((url) => wrapped(new Request(url, { headers }))))
      return urls.filter((_, i) => found[i]?.status === 200)
    }
    for (const url of urls) await wrapped(new Request(url))
    await vi.waitFor(async () => expect(await stored()).toEqual(urls))
    for (const path of ['/42', '/a*', long]) await purge(path)
    const gone = ['http://shop.test/42', 'http://shop.test/a*', `http://shop.test${long}`, 'https://h:8080/42']
    expect(await stored()).toEqual(urls.filter((url) => !gone.includes(url)))
  })

  it('by tag removes all that carry it, variants too, and voids what is on its way', async () => {
    const cache = site.hf.cache('tagged', { ttl: '1h', tags: responseTags })
    let turn = 0
    const { opened, open } = gate()
    const pages = cacheResponse(cache, {
      tags: (request, { status, headers }) => [
        `status:${status}`,
        headers.get('x-team') ?? '',
        new URL(request.url).pathname,
      ],
    })
    const ask = async (path: string, language = 'de') => {
      const request = new Request(`http://shop.test${path}`, { headers: { 'accept-language': language } })
      const handler = async () => {
        if (++turn === 4) await opened
        return new Response(`turn ${turn}`, { headers: { ...LASTING, 'x-team': 'red', vary: 'accept-language' } })
      }
      return (await pages(handler)(request)).text()
    }
    expect([await ask('/a'), await ask('/a', 'fr'), await ask('/b')]).toEqual(['turn 1', 'turn 2', 'turn 3'])
    await site.settled()
    expect([await ask('/a'), await ask('/a', 'fr'), await ask('/b')]).toEqual(['turn 1', 'turn 2', 'turn 3'])
    await cache.invalidateTag('/a')
    const late = ask('/a')
    await vi.waitFor(() => expect(turn).toBe(4))
    await cache.invalidateTag('red')
    open()
    expect(await late).toBe('turn 4')
    await site.settled()
    expect([await ask('/a'), await ask('/b')]).toEqual(['turn 5', 'turn 6'])
  })
})

describe('while Redis is away', () => {
  it('the handler answers, and what changes is changed', async () => {
    const hf = await connect(site.server.url, { namespace: testNamespace('http'), timeout: 200 })
    const pages = cacheResponse(hf.cache('pages', { ttl: '1h' }), { ttl: '1m' })
    const throwing = cacheResponse(hf.cache('strict', { ttl: '1h', whenDown: 'throw' }), { ttl: '1m' })
    await site.server.pause()
    try {
      for (const door of [pages, throwing])
        for (const method of ['GET', 'GET', 'HEAD', 'POST']) {
          const ask = door(() => new Response(method === 'HEAD' ? null : 'fine'))
          const response = await ask(new Request('http://shop.test/p', { method }))
          expect([response.status, await response.text()]).toEqual([200, method === 'HEAD' ? '' : 'fine'])
        }
    } finally {
      await site.server.resume()
      await hf.close()
    }
  })

  it('or closed, the handler answers', async () => {
    const ask = site.open(() => new Response('fine'), { ttl: '1m' })
    await site.hf.close()
    expect(await textOf(ask('/p'))).toBe('fine')
    expect(statusOf(await ask('/p', {}, { method: 'POST' }))).toBe('Holdfast; fwd=method; detail=not-invalidated')
  })
})

it('refuses what `key` may not answer', async () => {
  const ask = site.open(() => new Response('x'), { ttl: '1m', key: () => 7 as never })
  await expect(ask('/p')).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'key' })
  expect(site.asked).toHaveLength(0)
})
