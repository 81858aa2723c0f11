// The cluster of deploy/cluster at its real addresses, 172.30.0.11 to 18, in a network of their own: from here they cannot
// be reached, and each port is a proxy on 127.0.0.1 (to the node's unix socket), as Docker's published ports are.
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
})
