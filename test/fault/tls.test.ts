// TLS on every topology. One real server speaks it by itself; before the others stands a socket that does, reached by the address map.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { generate } from 'selfsigned'
import { afterAll, expect, test } from 'vitest'
import { type ConnectOptions, connect } from '../../src/index.ts'
import { startCluster, startSentinel, startServer, type TestServer } from '../../src/testing/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
const file = (name: string) => join(folder, name)
const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
  keyType: 'ec',
  extensions: [
    { name: 'basicConstraints', cA: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 2, value: 'localhost' },
        { type: 7, ip: '127.0.0.1' },
      ],
    },
  ],
})
writeFileSync(file('certificate.pem'), cert)
writeFileSync(file('key.pem'), key, { mode: 0o600 })
const doors: Server[] = []
const stops: (() => Promise<void>)[] = []
let encrypted = 0

afterAll(async () => {
  for (const door of doors) door.close()
  await Promise.all(stops.map((stop) => stop()))
  rmSync(folder, { recursive: true, force: true })
})

/** A port that speaks TLS and gives on to a server that does not. */
async function doorTo({ port }: { port: number }): Promise<number> {
  const door = createServer({ cert, key }, (socket) => {
    encrypted++
    const onward = connectSocket(port, '127.0.0.1')
    for (const end of [socket, onward])
      end.on('error', () => {}).on('close', () => (end === socket ? onward : socket).destroy())
    socket.pipe(onward).pipe(socket)
  })
  door.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  doors.push(door)
  return (door.address() as AddressInfo).port
}

/** Each address that is announced, and the door to it. */
async function mapOf(servers: readonly TestServer[]): Promise<Record<string, string>> {
  const entries = servers.map(
    async (server) => [`127.0.0.1:${server.port}`, `localhost:${await doorTo(server)}`] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

async function expectToWork(url: string, options: ConnectOptions): Promise<void> {
  const hf = await connect(url, { timeout: '5s', ...options })
  const cache = hf.cache<number>('n', { ttl: '1m', memory: {} })
  const ids = Array.from({ length: 60 }, (_, i) => `${i}`)
  await Promise.all(ids.map((id, i) => cache.set(id, i)))
  expect([...(await cache.getMany(ids)).values()]).toEqual(ids.map((_, i) => i))
  await cache.clear()
  expect(await cache.peek('7')).toBeUndefined()
  await hf.close()
}

const trusting = { tls: { ca: cert } }

test('a single server that speaks TLS itself, by rediss:// and by the option', async () => {
  const port = await doorTo({ port: 1 }).then((free) => {
    const door = doors.pop() as Server
    return new Promise<number>((resolve) => door.close(() => resolve(free)))
  })
  const server = await startServer({
    password: 'pw',
    config: {
      'tls-port': port,
      'tls-cert-file': file('certificate.pem'),
      'tls-key-file': file('key.pem'),
      'tls-ca-cert-file': file('certificate.pem'),
      'tls-auth-clients': 'no',
    },
  })
  stops.push(() => server.stop())
  await expectToWork(`rediss://:pw@localhost:${port}`, trusting)
  await expectToWork(`redis://:pw@127.0.0.1:${port}`, trusting)
  // A certificate that nobody vouches for is refused, and says so.
  await expect(connect(`rediss://:pw@localhost:${port}`, { timeout: '500ms' })).rejects.toMatchObject({
    code: expect.stringMatching(/CONNECTION_LOST|TIMEOUT/),
    cause: { message: expect.stringContaining('self-signed') },
  })
})

test('a Cluster, with the user of its own', async () => {
  const cluster = await startCluster({ users: { app: 'on >secret ~* &* +@all' } })
  stops.push(() => cluster.stop())
  const addressMap = await mapOf(cluster.nodes)
  const before = encrypted
  await expectToWork(cluster.url.replace('redis+cluster://', 'rediss+cluster://app:secret@'), {
    ...trusting,
    addressMap,
  })
  // Three primaries at least, each for commands and for its news.
  expect(encrypted - before).toBeGreaterThanOrEqual(6)
})

test('a Sentinel group, its Sentinels too', async () => {
  const group = await startSentinel({ password: 'pw', sentinelPassword: 'spw' })
  stops.push(() => group.stop())
  const addressMap = await mapOf([...group.servers, ...group.sentinels])
  const before = encrypted
  await expectToWork(group.url, { ...trusting, addressMap })
  expect(encrypted - before).toBeGreaterThanOrEqual(5)
})

test('shards', async () => {
  const servers = await Promise.all([startServer(), startServer()])
  for (const server of servers) stops.push(() => server.stop())
  const [a, b] = await Promise.all(servers.map(doorTo))
  await expectToWork(`rediss+shards://a=localhost:${a},b=localhost:${b}`, trusting)
})
