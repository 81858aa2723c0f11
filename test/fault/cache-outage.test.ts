import { type Cache, type CacheOptions, connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'

const TIMEOUT_MS = 300
const LOAD_MS = 50
/** What a busy machine may add. */
const SLACK_MS = 250

const open: Holdfast[] = []
const servers: TestServer[] = []
const unhandled: unknown[] = []
const onUnhandled = (error: unknown) => void unhandled.push(error)

beforeAll(() => void process.on('unhandledRejection', onUnhandled))
afterAll(() => void process.off('unhandledRejection', onUnhandled))
afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
  await Promise.all(servers.splice(0).map((server) => server.stop()))
  // Trap 17: nothing is done in the background without somebody who hears of its failure.
  expect(unhandled.splice(0)).toEqual([])
})

async function start(options: Parameters<typeof startServer>[0] = {}): Promise<TestServer> {
  const server = await startServer(options)
  servers.push(server)
  return server
}

async function cacheOn(server: TestServer, options: Partial<CacheOptions<unknown>> = {}): Promise<Cache<unknown>> {
  const hf = await connect(server.url, { namespace: testNamespace('outage'), timeout: TIMEOUT_MS })
  open.push(hf)
  return hf.cache('it', { ttl: '1m', ...options })
}

const slowly = async (id: string) => {
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS))
  return `loaded ${id}`
}

/** How long each takes, and how it ends. */
const timed = <T>(works: readonly Promise<T>[]) => {
  const startMs = performance.now()
  return Promise.all(
    works.map(async (work) => {
      const end = await work.then(
        (value) => ({ value, code: undefined }),
        (error) => ({ value: undefined, code: error.code as string | undefined }),
      )
      return { ...end, tookMs: performance.now() - startMs }
    }),
  )
}

const ids = Array.from({ length: 50 }, (_, i) => `k${i}`)

describe.each<[string, Partial<CacheOptions<unknown>>]>([
  ['one loader per process', {}],
  ['one loader per fleet', { stampede: 'fleet' }],
  ['tags', { tags: (_, id) => [id, 't'] }],
  ['the memory tier', { memory: { maxEntries: 10 } }],
])('18: while Redis is frozen for 3 s, with %s,', (_, options) => {
  it('gets answer from the loader within deadline and load, further ones at once, and all works again after', async () => {
    const server = await start()
    const cache = await cacheOn(server, options)
    await cache.get('warm', slowly)
    await server.pause()
    const frozenMs = performance.now()
    let loads = 0
    const load = (id: string) => {
      loads++
      return slowly(id)
    }
    const [different, same, many] = await Promise.all([
      timed(ids.map((id) => cache.get(id, load))),
      timed(ids.map(() => cache.get('same', load))),
      timed([cache.getMany(['m1', 'm2'], async (missing) => Promise.all(missing.map(slowly)))]),
    ])
    expect(Math.max(...[...different, ...same, ...many].map(({ tookMs }) => tookMs))).toBeLessThan(
      TIMEOUT_MS + LOAD_MS + SLACK_MS,
    )
    expect(different.map(({ value }) => value)).toEqual(ids.map((id) => `loaded ${id}`))
    expect(many[0]?.value).toEqual(
      new Map([
        ['m1', 'loaded m1'],
        ['m2', 'loaded m2'],
      ]),
    )
    expect(loads).toBe(51)
    // The first ones may still wait for the attempt to open another connection.
    await Promise.all(ids.map((id) => cache.get(id, load)))
    const further = await timed([...ids.map((id) => cache.get(id, load)), cache.get('warm', load)])
    expect(Math.max(...further.map(({ tookMs }) => tookMs))).toBeLessThan(LOAD_MS + SLACK_MS)
    const [deleted] = await timed([cache.delete('warm')])
    expect(['TIMEOUT', 'CONNECTION_LOST']).toContain(deleted?.code)
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, 3_000 - (performance.now() - frozenMs))))
    await server.resume()
    await vi.waitFor(async () => {
      await cache.delete('warm')
      await cache.set('warm', 'new')
    }, 3_000)
    expect(await cache.get('warm', load)).toBe('new')
    expect(await cache.get('k0', () => 'again')).toBe('again')
    expect(await cache.peek('k0')).toBe('again')
  })
})

describe('while Redis is frozen, with whenDown: throw,', () => {
  it('gets throw within the deadline, and no loader runs', async () => {
    const server = await start()
    const cache = await cacheOn(server, { whenDown: 'throw' })
    await server.pause()
    const load = vi.fn(slowly)
    const first = await timed([...ids.map((id) => cache.get(id, load)), cache.peek('k'), cache.getMany(['a'])])
    expect(Math.max(...first.map(({ tookMs }) => tookMs))).toBeLessThan(TIMEOUT_MS + SLACK_MS)
    expect(new Set(first.map(({ code }) => code))).toEqual(new Set(['TIMEOUT']))
    await timed(ids.map((id) => cache.get(id, load)))
    const further = await timed(ids.map((id) => cache.get(id, load)))
    expect(Math.max(...further.map(({ tookMs }) => tookMs))).toBeLessThan(SLACK_MS)
    expect(load).not.toHaveBeenCalled()
    await server.resume()
  })
})

describe('while Redis answers, but too late,', () => {
  it('gets soon wait for it no more, and ask it again once it is in time', async () => {
    const server = await start()
    const proxy = await startProxy({ target: server })
    const hf = await connect(proxy.url, { namespace: testNamespace('outage'), timeout: TIMEOUT_MS })
    try {
      const cache = hf.cache<string>('it', { ttl: '1m' })
      await cache.set('k', 'kept')
      proxy.delay(2 * TIMEOUT_MS)
      const get = async () => (await timed([cache.get('k', () => 'loaded')]))[0]
      expect(await get()).toMatchObject({ value: 'loaded' })
      // A tenth of the deadline that each of them would wait for otherwise.
      await vi.waitFor(async () => expect((await get())?.tookMs).toBeLessThan(TIMEOUT_MS / 10), 5_000)
      const further = await Promise.all(ids.map(get))
      expect(new Set(further.map((one) => one?.value))).toEqual(new Set(['loaded']))
      proxy.delay(0)
      await vi.waitFor(async () => expect(await cache.get('k', () => 'loaded')).toBe('kept'), 5_000)
    } finally {
      await hf.close()
      await proxy.close()
    }
  })
})

describe('whatever becomes of the server', () => {
  it('gets go on and writes tell: never there, killed, restarted empty', async () => {
    const server = await start()
    const hf = await connect(server.url, { lazy: true, timeout: TIMEOUT_MS, namespace: testNamespace('outage') })
    open.push(hf)
    const cache = hf.cache<string>('it', { ttl: '1m', tags: ['t'], expiry: { stale: '1m' }, stampede: 'fleet' })
    await server.kill()
    expect(await cache.get('k', slowly)).toBe('loaded k')
    expect(await cache.peek('k')).toBeUndefined()
    for (const write of [
      cache.set('k', 'v'),
      cache.delete('k'),
      cache.invalidateTag('t'),
      cache.invalidatePattern('*'),
      cache.clear(),
    ])
      await expect(write).rejects.toMatchObject({ retryable: true })
    await server.restart({ empty: true })
    await vi.waitFor(() => cache.set('k', 'v'), 3_000)
    expect(await cache.peek('k')).toBe('v')
    const slow = cache.get('other', slowly)
    await server.kill()
    expect(await slow).toBe('loaded other')
    await server.restart({ empty: true })
    await vi.waitFor(() => cache.delete('k'), 3_000)
    expect(await cache.get('k', async () => 'new')).toBe('new')
    expect(await cache.peek('k')).toBe('new')
    expect(hf.stats.pending).toBe(0)
  })

  it('flushed scripts are learnt again by the call that needs them', async () => {
    const server = await start()
    const cache = await cacheOn(server, { tags: ['t'], stampede: 'fleet' })
    const verbs: (() => Promise<unknown>)[] = [
      () => cache.get('a', () => 1),
      () => cache.getMany(['b', 'c'], (missing) => missing.map(() => 1)),
      () => cache.set('d', 1),
      () => cache.get('e', () => undefined),
      () => cache.invalidateTag('t'),
      () => cache.delete('a'),
      () => cache.clear(),
    ]
    for (const verb of verbs) {
      await server.command('SCRIPT', 'FLUSH')
      await verb()
    }
    await server.command('SCRIPT', 'FLUSH')
    const slow = cache.get('f', slowly)
    await server.command('SCRIPT', 'FLUSH')
    await slow
    expect(await cache.peek('f')).toBe('loaded f')
  })
})

describe('a full server', () => {
  it.each(['process', 'fleet'] as const)(
    'serves what it has, answers loaded values, refuses set and still frees, with one loader per %s',
    async (stampede) => {
      const server = await start({ config: { 'maxmemory-policy': 'noeviction' } })
      const cache = await cacheOn(server, { tags: ['t'], stampede, whenDown: 'load' })
      await cache.set('kept', 'kept')
      await cache.set('doomed', 'doomed')
      await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
      for (let i = 0; i < 40; i++) expect(await cache.get(`k${i}`, slowlyAtOnce)).toBe(`loaded k${i}`)
      expect(await cache.getMany(['m'], (missing) => missing.map(slowlyAtOnce))).toEqual(new Map([['m', 'loaded m']]))
      // Forty misses in a row must not make it stop to look.
      expect(await cache.get('kept', () => 'loaded')).toBe('kept')
      await expect(cache.set('kept', 'newer')).rejects.toMatchObject({ code: 'SERVER_FULL' })
      // What the writer knows to be old is not served either.
      expect(await cache.peek('kept')).toBeUndefined()
      await cache.delete('doomed')
      expect(await cache.peek('doomed')).toBeUndefined()
      await cache.invalidateTag('t')
      expect(await cache.invalidatePattern('*')).toBeGreaterThanOrEqual(0)
      await cache.clear()
      await server.command('CONFIG', 'SET', 'maxmemory', '0')
      expect(await cache.get('k1', () => 'again')).toBe('again')
      expect(await cache.peek('k1')).toBe('again')
    },
  )

  it('that fills up while a load runs takes no lease from others, and lets a long load keep its own', async () => {
    const server = await start({ config: { 'maxmemory-policy': 'noeviction' } })
    const namespace = testNamespace('full')
    const [a, b] = await Promise.all(
      [0, 1].map(async () => {
        const hf = await connect(server.url, { namespace, timeout: TIMEOUT_MS })
        open.push(hf)
        return hf.cache<string>('it', { ttl: '1m', stampede: 'fleet' })
      }),
    )
    let waiting: Promise<{ tookMs: number }[]> | undefined
    const got = a?.get('k', async () => {
      await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
      waiting = timed([b?.get('k', () => 'b') as Promise<string>])
      return 'a'
    })
    expect(await got).toBe('a')
    expect((await waiting)?.[0]?.tookMs).toBeLessThan(1_000)
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    const long = a?.get('long', async () => {
      await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
      await new Promise((resolve) => setTimeout(resolve, 3_500))
      await server.command('CONFIG', 'SET', 'maxmemory', '0')
      return 'long'
    })
    expect(await long).toBe('long')
    expect(await b?.peek('long')).toBe('long')
  })
})

const slowlyAtOnce = (id: string) => `loaded ${id}`

describe('a user who lacks rights', () => {
  it.each([
    ['scripts', '-evalsha -eval'],
    ['reading', '-get -mget'],
    ['everything', '-@all'],
  ])('of %s gets loaded values, and an error that names what to grant', async (_, lacking) => {
    const warnings: string[] = []
    const onWarning = (warning: Error) => void warnings.push(warning.message)
    process.on('warning', onWarning)
    const server = await start({ users: { default: 'off', app: `on >secret ~* &* +@all ${lacking}` } })
    const hf = await connect(`redis://app:secret@127.0.0.1:${server.port}`, {
      lazy: true,
      namespace: testNamespace('denied'),
      timeout: TIMEOUT_MS,
    })
    open.push(hf)
    const cache = hf.cache('it', { ttl: '1m' })
    expect(await cache.get('k', () => 'loaded')).toBe('loaded')
    expect(await cache.getMany(['k'], () => ['loaded'])).toEqual(new Map([['k', 'loaded']]))
    if (lacking !== '-get -mget')
      await expect(cache.set('k', 1)).rejects.toMatchObject({
        code: expect.stringMatching(/SERVER_DENIED|CONNECTION_LOST|TIMEOUT/),
      })
    process.off('warning', onWarning)
    expect(warnings.join()).not.toContain('secret')
  })
})
