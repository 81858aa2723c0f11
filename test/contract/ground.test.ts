import { type ConnectOptions, connect, type Holdfast } from 'holdfast'
import { Cluster, Redis as Ioredis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Place } from './place.ts'

const place = new Place({ caches: ['it', 'm'], seats: true })

afterEach(() => {
  vi.unstubAllEnvs()
})

const failure = async (connecting: Promise<Holdfast>) => {
  try {
    await (await connecting).close()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('it connected')
}

/** Writes and reads through an instance, and closes it. */
async function works(connecting: Promise<Holdfast>): Promise<void> {
  await using hf = await connecting
  const cache = hf.cache<number>('it', { ttl: '1m', whenDown: 'throw' })
  for (let i = 0; i < 20; i++) await cache.set(`k${i}`, i)
  expect([...(await cache.getMany(Array.from({ length: 20 }, (_, i) => `k${i}`))).values()]).toEqual([
    ...Array(20).keys(),
  ])
  expect(await place.keys(`{${place.namespace}:cache:it:*`)).toHaveLength(20)
  await cache.clear()
}

/** The hosts of an address, and the address with others in their place. */
function hostsOf(url: string): { readonly hosts: readonly string[]; with(hosts: readonly string[]): string } {
  const [, before, list, after] = /^([^:]+:\/\/(?:[^@/]*@)?)([^/?]+)(.*)$/.exec(url) as unknown as string[]
  return { hosts: (list as string).split(','), with: (hosts) => `${before}${hosts.join(',')}${after}` }
}

describe('connect', () => {
  it('takes an address, an address among the options, REDIS_URL and no address, and a lazy start', async () => {
    const [url, options] = await place.address()
    await works(connect(url, options))
    await works(connect({ url, ...options }))
    await works(connect(url, { ...options, lazy: true }))
    vi.stubEnv('REDIS_URL', url)
    await works(connect(options))
    await works(connect(undefined, options))
  })

  it('may be lazy for longer than the deadline of an operation', async () => {
    const hf = await place.connect({ lazy: true, timeout: '1s' })
    // Nothing happens meanwhile, which is the point.
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    expect(await hf.cache('it', { ttl: '1m', whenDown: 'throw' }).peek('k')).toBeUndefined()
    expect(await place.countConnections(place.namespace)).toBeGreaterThan(0)
  })

  it('takes a password apart from the address, and a function that gives one', async () => {
    const [url, options] = await place.address()
    const password = decodeURIComponent(/:\/\/[^@/]*:([^@/]*)@/.exec(url)?.[1] ?? '')
    const bare = url.replace(/(:\/\/[^@/:]*):[^@/]*@/, '$1@')
    await works(connect(bare, { ...options, ...(password === '' ? {} : { password }) }))
    let asked = 0
    const give = async () => {
      asked++
      return password
    }
    await works(connect(bare, { ...options, password: give }))
    expect(asked).toBeGreaterThan(0)
  })

  it('reaches all servers by each one host that says where the others are', async () => {
    const [url, options] = await place.address()
    const { hosts, with: withHosts } = hostsOf(url)
    // Of shards nobody knows but who names them.
    for (const host of place.kind === 'shards' ? [hosts.join(',')] : hosts)
      await works(connect(withHosts([host]), options))
  })

  it('takes the place of a client of ioredis, which stays as it was', async () => {
    const [url, options] = await place.address()
    const { hosts } = hostsOf(url)
    const [, username, password] = /:\/\/([^:@/]*):([^@/]*)@/.exec(url) ?? []
    const login =
      username === undefined
        ? {}
        : { username: decodeURIComponent(username), password: decodeURIComponent(password as string) }
    const addresses = hosts.map((host) => ({ host: host.split(':')[0] as string, port: Number(host.split(':')[1]) }))
    const common = { lazyConnect: true, ...login }
    const client = {
      standalone: () => new Ioredis({ ...addresses[0], ...common }),
      sentinel: () =>
        new Ioredis({
          ...{ sentinels: addresses, name: 'primary', ...common },
          ...(login.username === undefined
            ? {}
            : { sentinelUsername: login.username, sentinelPassword: login.password as string }),
        }),
      cluster: () => new Cluster(addresses, { lazyConnect: true, redisOptions: login }),
      // ioredis knows none.
      shards: undefined,
    }[place.kind]?.()
    if (client === undefined) return expect(place.kind).toBe('shards')
    await works(connect({ client, ...options }))
    expect(client.status).toBe('wait')
  })

  it('accepts reads from replicas, and refuses what is neither', async () => {
    await works(place.connect({ readFrom: 'replica' }))
    expect(await failure(place.connect({ readFrom: 'any' } as never))).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('knows the server, and has figures', async () => {
    const hf = await place.connect()
    expect(hf.server).toMatchObject({
      product: place.variant.product,
      mode: place.kind === 'cluster' ? 'cluster' : 'standalone',
      role: 'primary',
    })
    expect(hf.server.version).toMatch(/^\d+\.\d+\.\d+$/)
    await vi.waitFor(() => expect(hf.stats).toMatchObject({ pending: 0, failovers: 0, ready: true }))
    expect(hf.stats.connections).toBeGreaterThanOrEqual(place.all.length)
    const cache = hf.cache<number>('it', { ttl: '1m' })
    const getting = Promise.all(Array.from({ length: 10 }, (_, i) => cache.peek(`k${i}`)))
    expect(hf.stats.pending).toBeGreaterThan(0)
    await getting
    expect(hf.stats).toMatchObject({ pending: 0, repeats: 0, redirects: 0 })
  })

  it('tells by its code what is wrong', async () => {
    const [url, options] = await place.address({ timeout: '3s' })
    const wrong = url.replace(/:\/\/(?:[^@/]*@)?/, '://nobody:s3cr3t@')
    const refused = await failure(connect(wrong, options))
    expect(refused).toMatchObject({ code: 'AUTH_FAILED' })
    expect(`${refused.message} ${refused.stack}`).not.toContain('s3cr3t')
    const { hosts, with: withHosts } = hostsOf(url)
    const nowhere = hosts.map((host) => host.replace(/:\d+$/, ':1'))
    const startedMs = performance.now()
    expect(await failure(connect(withHosts(nowhere.slice(0, 1)), { ...options, timeout: '1s' }))).toMatchObject({
      code: 'CONNECTION_LOST',
      sent: false,
    })
    expect(performance.now() - startedMs).toBeLessThan(2_500)
    expect(await failure(connect(url, { ...options, tiemout: 1 } as ConnectOptions))).toMatchObject({
      code: 'CONFIG_INVALID',
    })
    const other: Record<Place['kind'], () => [string, object]> = {
      standalone: () => [url.replace('redis:', 'redis+cluster:'), { code: 'SERVER_UNFIT' }],
      sentinel: () => [url.replace('/primary', '/nobody'), { code: 'SERVER_UNFIT' }],
      cluster: () => [withHosts(hosts.slice(0, 1)).replace('redis+cluster:', 'redis:'), { code: 'SERVER_UNFIT' }],
      shards: () => [withHosts([hosts[0] as string, hosts[0] as string]), { code: 'CONFIG_INVALID' }],
    }
    const [address, expected] = other[place.kind]()
    expect(await failure(connect(address, options))).toMatchObject(expected)
  })
})

describe('a namespace', () => {
  it('has nothing in common with another, whatever they are called', async () => {
    const names = ['', ':cache', ' {x}', '*', ':', '%3A', '[a-z]', '\n', ' Ü🎭'].map(
      (end) => `${place.namespace}${end}`,
    )
    const all = await Promise.all(names.map((namespace) => place.connect({ namespace })))
    const caches = all.map((hf) => hf.cache<number>('it', { ttl: '1m', tags: ['t'] }))
    const ids = Array.from({ length: 12 }, (_, i) => `${i}`)
    await Promise.all(caches.map((cache, i) => cache.getMany(ids, (missing) => missing.map(() => i))))
    const expectAll = (but: number[]) =>
      Promise.all(
        caches.map(async (cache, i) =>
          expect([...(await cache.getMany(ids)).values()], names[i]).toEqual(
            ids.map(() => (but.includes(i) ? undefined : i)),
          ),
        ),
      )
    await expectAll([])
    await caches[0]?.clear()
    await expectAll([0])
    await caches[3]?.invalidatePattern('*')
    await caches[4]?.invalidateTag('t')
    await expectAll([0, 3, 4])
    for (const hf of all) expect(await hf.seats('night').counts()).toMatchObject({ status: 'no-event' })
    const seats = { currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 5, price: 1 }] }
    await Promise.all(all.map((hf) => hf.seats('night').create(seats)))
    for (const hf of all)
      expect(await hf.seats('night').hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'held' })
  })

  it('keeps each of its keys on one server, the one that is asked for it', async () => {
    const cache = (await place.connect()).cache<number>('it', { ttl: '1m' })
    const ids = Array.from({ length: 100 }, (_, i) => `${i}`)
    await Promise.all(ids.map((id) => cache.set(id, 1)))
    const keys = await place.keys(`{${place.namespace}:cache:it:*`)
    expect(keys).toHaveLength(ids.length)
    for (const key of keys) expect(await place.command('EXISTS', key)).toBe(1)
    expect(new Set(keys.map((key) => place.at(key).port)).size).toBe(place.all.length)
  })
})

describe('close', () => {
  it('leaves no connection on any server, and ends all that is called later', async () => {
    const hf = await place.connect({ name: `${place.namespace}-closing` })
    const cache = hf.cache<number>('m', { ttl: '1m', memory: {}, stampede: 'fleet', load: () => 1 })
    await Promise.all(Array.from({ length: 30 }, (_, i) => cache.get(`k${i}`)))
    const night = hf.seats('night')
    await night.create({ currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 5, price: 1 }] })
    const changes = night.changes({ since: 0 })
    expect((await changes.next()).value).toMatchObject({ kind: 'created' })
    const count = async () =>
      (await place.countConnections(`${place.namespace}-closing`)) +
      (await place.countConnections(`${place.namespace}-closing:listen`))
    expect(await count()).toBeGreaterThan(place.all.length)
    await Promise.all([hf.close(), hf.close()])
    await hf[Symbol.asyncDispose]()
    await vi.waitFor(async () => expect(await count()).toBe(0))
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await expect(night.counts()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    expect(() => hf.cache('q', { ttl: 1 })).toThrow(expect.objectContaining({ code: 'CONNECTION_CLOSED' }))
  })

  it('lets what is under way end', async () => {
    const hf = await place.connect()
    const cache = hf.cache<number>('it', { ttl: '1m' })
    // So that there is a connection to each server: a call that waits for one is ended.
    await cache.getMany(Array.from({ length: 50 }, (_, i) => `k${i}`))
    const writes = Array.from({ length: 200 }, (_, i) => cache.set(`k${i}`, i))
    await hf.close()
    await Promise.all(writes)
    expect(await place.keys(`{${place.namespace}:cache:it:*`)).toHaveLength(200)
  })

  it('leaves no connection of one that could not connect', async () => {
    const [url, options] = await place.address({ timeout: '1s', name: `${place.namespace}-failing` })
    await failure(connect(url.replace(/:\/\/(?:[^@/]*@)?/, '://nobody:wrong@'), options))
    await vi.waitFor(async () => expect(await place.countConnections(`${place.namespace}-failing`)).toBe(0))
  })
})
