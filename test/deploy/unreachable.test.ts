// The cluster of deploy/cluster at its real addresses, 172.30.0.11 to 18, in a network of their own: from here they cannot
// be reached, and each port is a proxy on 127.0.0.1 (to the node's unix socket), as Docker's published ports are.
import { type ConnectOptions, connect } from 'holdfast'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startProxy, type TestProxy } from '../../src/testing/proxy.ts'
import { RespConnection, toText } from '../../src/testing/resp.ts'
import { announcedBy, readLayout, serversOf, serviceOf } from './layout.fixture.ts'
import { findWay, NetNamespace } from './net-namespace.fixture.ts'
import { newPasswords, PlainService } from './plain.fixture.ts'

const layout = readLayout('cluster')
const names = serversOf(layout)
const passwords = newPasswords(layout)
const found = findWay()
const refused = 'refused' in found ? found.refused : undefined
if (refused !== undefined)
  console.warn(`SKIPPED: the cluster at unreachable addresses, since there is no namespace: ${refused}`)

const SOCKET = 'redis.sock'

describe.skipIf(refused !== undefined)('the cluster at addresses that cannot be reached from here', () => {
  const nodes = new Map<string, PlainService>()
  /** By announced `address:port`. */
  const proxies = new Map<string, TestProxy>()
  const opened: RespConnection[] = []
  let namespace: NetNamespace
  let creator: PlainService

  beforeAll(async () => {
    if ('refused' in found) return
    namespace = new NetNamespace(found.way)
    await namespace.open(names.map((name) => serviceOf(layout, name).environment?.ADDRESS as string))
    const { through } = namespace
    for (const name of names) {
      // A relative path: the server looks for it in its data folder.
      const node = new PlainService(layout, name, { passwords, through, args: ['--unixsocket', SOCKET] })
      nodes.set(name, node)
      node.start()
    }
    await Promise.all([...nodes.values()].map((node) => node.ready()))
    creator = new PlainService(layout, 'create', { passwords, through })
    expect(await creator.run(), creator.log()).toBe(0)
    for (const [name, node] of nodes) {
      const target = { socketPath: node.path('data', SOCKET) }
      proxies.set(announcedBy(serviceOf(layout, name)), await startProxy({ target }))
    }
  })

  afterAll(async () => {
    for (const connection of opened) connection.close()
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()))
    await Promise.all([creator, ...nodes.values()].map((service) => service?.close()))
    await namespace?.close()
  })

  /** A connection to what stands here for an announced address. */
  function connectTo(announced: string, user = 'operator'): RespConnection {
    const proxy = proxies.get(announced) as TestProxy
    const login = { user, password: passwords[`${user.toUpperCase()}_PASSWORD`] as string }
    const connection = new RespConnection({ address: { host: proxy.host, port: proxy.port }, login })
    opened.push(connection)
    return connection
  }

  test('is made of the nodes of the plan: 4 follows 1, 5 follows 2, 6 follows 3', async () => {
    const first = connectTo('172.30.0.11:7001')
    const pairs = async () => {
      // CLUSTER SLOTS leaves out a replica that was never sent a byte, and in a new cluster that is each of them.
      const lines = String(toText(await first.send(['CLUSTER', 'NODES'])))
        .trim()
        .split('\n')
      const seen = lines.map((line) => line.split(' ') as [id: string, place: string, flags: string, primary: string])
      const placeOf = new Map(seen.map(([id, place]) => [id, place.split('@')[0]]))
      return Object.fromEntries(
        seen.flatMap(([id, , flags, primary]) =>
          flags.includes('slave') ? [[placeOf.get(primary), placeOf.get(id)]] : [],
        ),
      )
    }
    await expect.poll(pairs).toEqual({
      '172.30.0.11:7001': '172.30.0.14:7004',
      '172.30.0.12:7002': '172.30.0.15:7005',
      '172.30.0.13:7003': '172.30.0.16:7006',
    })
  })

  test('sends a client on to an address that only the map can reach', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => `{hf:deploy:${id}}`)
    const first = connectTo('172.30.0.11:7001', 'app')
    const redirects: string[] = []
    for (const key of keys) {
      const moved = await first.send(['SET', key, key]).then(
        () => undefined,
        (error: Error) => /MOVED \d+ (\S+)$/.exec(error.message)?.[1],
      )
      if (moved === undefined) continue
      redirects.push(moved)
      expect(toText(await connectTo(moved, 'app').send(['SET', key, key]))).toBe('OK')
    }
    expect(new Set(redirects)).toEqual(new Set(['172.30.0.12:7002', '172.30.0.13:7003']))
  })

  /** Each form of the map, for ports that differ from the announced ones: those of the proxies. */
  const maps: Readonly<Record<string, () => NonNullable<ConnectOptions['addressMap']>>> = {
    'an object by host and port': () =>
      Object.fromEntries([...proxies].map(([announced, { host, port }]) => [announced, `${host}:${port}`])),
    'a function': () => (host, port) => {
      const proxy = proxies.get(`${host}:${port}`)
      return proxy && { host: proxy.host, port: proxy.port }
    },
  }

  /** The application, told of two nodes as they are reached from here, and logged in as its own user. */
  async function application(map: string) {
    const [first, second] = [...proxies.values()]
    const login = `app:${passwords.APP_PASSWORD}`
    return connect(`redis+cluster://${login}@127.0.0.1:${first?.port},127.0.0.1:${second?.port}`, {
      namespace: 'hf',
      timeout: '6s',
      addressMap: maps[map]?.() ?? {},
    })
  }

  test.each(Object.keys(maps))('serves 200 ids of a cache to an application that has %s', async (map) => {
    const [writer, reader] = [await application(map), await application(map)]
    try {
      const ids = Array.from({ length: 200 }, (_, i) => `${map}:${i}`)
      const values = ids.map((id) => `value of ${id}`)
      const caches = [writer, reader].map((hf) =>
        hf.cache<string>('deploy', { ttl: '1m', memory: { maxEntries: 500 } }),
      )
      const [here, there] = caches as [(typeof caches)[0], (typeof caches)[0]]
      await Promise.all(ids.map((id) => here.set(id, `value of ${id}`, { tags: ['all'] })))
      expect(await Promise.all(ids.map((id) => there.get(id)))).toEqual(values)
      expect([...(await there.getMany(ids)).values()]).toEqual(values)
      await here.invalidateTag('all')
      await expect.poll(async () => new Set((await there.getMany(ids)).values())).toEqual(new Set([undefined]))
    } finally {
      await writer.close()
      await reader.close()
    }
    for (const place of ['172.30.0.11:7001', '172.30.0.12:7002', '172.30.0.13:7003'])
      expect(await connectTo(place).send(['DBSIZE']), place).toBeGreaterThan(20)
  })

  test('sells seats of 20 events, spread over its shards, each once', async () => {
    const hf = await application('a function')
    try {
      const sold = await Promise.all(Array.from({ length: 20 }, (_, i) => sell(`night-${i}`)))
      expect(sold).toEqual(Array.from({ length: 20 }, () => ({ ok: true, sold: 2, free: 18 })))
    } finally {
      await hf.close()
    }

    async function sell(event: string) {
      const night = hf.seats(event)
      const sections = [{ name: 'A', rows: 2, seatsPerRow: 10, price: 4999 }]
      await night.create({ currency: 'EUR', perCustomer: 8, sections })
      const seats = ['A-1-1', 'A-1-2']
      const asked = ['ann', 'bob'].map((customer) => night.hold({ id: customer, customer, seats, for: '5m' }))
      const holds = await Promise.all(asked)
      expect(holds.map(({ status }) => status).sort()).toEqual(['held', 'taken'])
      const held = holds.find(({ status }) => status === 'held')
      expect(await night.confirm(held?.id ?? '', { payment: `pi_${event}` })).toMatchObject({ status: 'confirmed' })
      const { sold, free } = await night.counts()
      return { ok: (await night.verify()).ok, sold, free }
    }
  })

  test('refuses the application nothing that the library asks for', async () => {
    for (const place of proxies.keys()) expect(toText(await connectTo(place).send(['ACL', 'LOG'])), place).toEqual([])
  })
})
