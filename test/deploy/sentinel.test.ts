// The group of deploy/sentinel as six plain processes, with the very files that the containers get.
import { readFileSync } from 'node:fs'
import { connect as connectTo } from 'holdfast'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePort, returnPort } from '../../src/testing/ports.ts'
import { type CommandArg, type Reply, RespConnection, toText } from '../../src/testing/resp.ts'
import { asShown, settingsOf } from './directives.fixture.ts'
import { announcedBy, readLayout, serversOf, serviceOf } from './layout.fixture.ts'
import { newPasswords, PlainService } from './plain.fixture.ts'

const layout = readLayout('sentinel')
const names = serversOf(layout)
const servers = names.filter((name) => name.startsWith('redis-'))
const sentinels = names.filter((name) => name.startsWith('sentinel-'))
const passwords = newPasswords(layout)
const ports = new Map<string, number>()
const running = new Map<string, PlainService>()
const opened: RespConnection[] = []
const WAIT = { timeout: 20_000, interval: 25 }

function connect(name: string, user: string | undefined, password = `${user?.toUpperCase()}_PASSWORD`): RespConnection {
  const login = user === undefined ? undefined : { user, password: passwords[password] as string }
  const connection = new RespConnection({ address: { host: '127.0.0.1', port: ports.get(name) as number }, login })
  opened.push(connection)
  return connection
}

const operators = new Map<string, RespConnection>()

/** Ask a server or a Sentinel as the operator. */
async function ask(name: string, ...args: readonly CommandArg[]): Promise<Reply> {
  const known = operators.get(name)
  const connection = known?.usable ? known : connect(name, 'operator')
  operators.set(name, connection)
  return toText(await connection.send(args))
}

/** What a Sentinel answers in pairs, or a server in lines. */
async function fields(name: string, ...args: readonly CommandArg[]): Promise<Record<string, string>> {
  const reply = await ask(name, ...args)
  if (Array.isArray(reply))
    return Object.fromEntries(reply.flatMap((word, i) => (i % 2 === 0 ? [[String(word), String(reply[i + 1])]] : [])))
  return Object.fromEntries([...String(reply).matchAll(/^(\w+):(.*?)\r?$/gm)].map((match) => [match[1], match[2]]))
}

/** Where an application is told that the primary is: by this Sentinel, with the password of its URL. */
async function primaryBy(sentinel: string): Promise<string> {
  const discovery = connect(sentinel, 'default', 'DISCOVERY_PASSWORD')
  const [, port] = toText(await discovery.send(['SENTINEL', 'get-master-addr-by-name', 'primary'])) as string[]
  discovery.close()
  const name = servers.find((one) => ports.get(one) === Number(port))
  if (name === undefined) throw new Error(`${sentinel} names port ${port}, which is no server's`)
  return name
}

const service = (name: string): PlainService => running.get(name) as PlainService
const roleOf = async (name: string): Promise<string> => String((await fields(name, 'INFO', 'replication')).role)

/** Everybody sees two replicas in step and two other Sentinels. */
async function formed(): Promise<void> {
  await vi.waitFor(async () => {
    for (const sentinel of sentinels) {
      expect(await ask(sentinel, 'SENTINEL', 'CKQUORUM', 'primary')).toMatch(/^OK 3 usable Sentinels/)
      expect(await fields(sentinel, 'SENTINEL', 'MASTER', 'primary')).toMatchObject({
        'num-slaves': '2',
        'num-other-sentinels': '2',
        flags: 'master',
      })
    }
  }, WAIT)
}

beforeAll(async () => {
  for (const name of names) ports.set(name, await freePort())
  const places = new Map(names.map((name) => [announcedBy(serviceOf(layout, name)), `127.0.0.1:${ports.get(name)}`]))
  for (const name of names)
    running.set(name, new PlainService(layout, name, { passwords, places, args: ['--bind', '127.0.0.1'] }))
  for (const group of [servers, sentinels]) {
    for (const name of group) service(name).start()
    await Promise.all(group.map((name) => service(name).ready()))
    // A Sentinel asks for replicas every ten seconds: those that are not there at first are found ten seconds later.
    const replicas = async () => (await fields('redis-1', 'INFO', 'replication')).connected_slaves
    await vi.waitFor(async () => expect(await replicas()).toBe('2'), WAIT)
  }
  await formed()
})

afterAll(async () => {
  for (const connection of opened) connection.close()
  await Promise.all([...running.values()].map((one) => one.close()))
  for (const port of ports.values()) returnPort(port)
})

describe('the group', () => {
  test('is a primary with two replicas in step, and each Sentinel says who it is', async () => {
    expect(await fields('redis-1', 'INFO', 'replication')).toMatchObject({
      role: 'master',
      connected_slaves: '2',
      min_slaves_good_slaves: '2',
    })
    for (const name of ['redis-2', 'redis-3'])
      expect(await fields(name, 'INFO', 'replication')).toMatchObject({ role: 'slave', master_link_status: 'up' })
    for (const sentinel of sentinels) expect(await primaryBy(sentinel)).toBe('redis-1')
  })

  test('has every setting of server.conf on each server, as it is written there', async () => {
    const settings = settingsOf(layout, 'server.conf').filter(([name]) => name !== 'bind')
    expect(settings.length).toBeGreaterThan(10)
    for (const name of servers)
      for (const [setting, written] of settings)
        expect(await ask(name, 'CONFIG', 'GET', setting), `${name} ${setting}`).toEqual([setting, asShown(written)])
  })

  test('has every setting of sentinel.conf on each Sentinel, and a quorum of two', async () => {
    const written = settingsOf(layout, 'sentinel.conf').flatMap(([, value]) => {
      const [, setting, number] = /^(\S+) primary (\d+)$/.exec(value) ?? []
      return setting === undefined ? [] : [[setting, number]]
    })
    expect(written.length).toBe(3)
    for (const name of sentinels)
      expect(await fields(name, 'SENTINEL', 'MASTER', 'primary')).toMatchObject({
        quorum: '2',
        ...Object.fromEntries(written),
      })
  })
})

describe('a user', () => {
  test.each(names)('without a name gets no answer from %s', async (name) => {
    await expect(connect(name, undefined).send(['PING'])).rejects.toMatchObject({ reply: 'NOAUTH' })
  })

  test('of the application reads and writes in its namespace, and nothing more', async () => {
    const app = connect('redis-1', 'app')
    expect(toText(await app.send(['SET', '{hf:deploy:1}', 'v']))).toBe('OK')
    expect(await app.send(['WAIT', 2, 1_000])).toBe(2)
    for (const command of ['FLUSHALL', 'CONFIG GET maxmemory', 'KEYS *', 'REPLICAOF NO ONE', 'GET other'])
      await expect(app.send(command.split(' ')), command).rejects.toMatchObject({ reply: 'NOPERM' })
  })

  test('who asks a Sentinel for the primary may listen, and change nothing', async () => {
    const discovery = connect('sentinel-1', 'default', 'DISCOVERY_PASSWORD')
    for (const command of ['SENTINEL SENTINELS primary', 'SENTINEL REPLICAS primary', 'SENTINEL CKQUORUM primary'])
      expect(await discovery.send(command.split(' ')), command).toBeTruthy()
    for (const command of [
      'SENTINEL FAILOVER primary',
      'SENTINEL SET primary quorum 1',
      'SENTINEL REMOVE primary',
      'SENTINEL MONITOR other 127.0.0.1 1 1',
      'SENTINEL RESET *',
      'SHUTDOWN',
    ])
      await expect(discovery.send(command.split(' ')), command).rejects.toMatchObject({ reply: 'NOPERM' })
    expect(toText(await discovery.send(['SUBSCRIBE', '+switch-master']))).toEqual(['subscribe', '+switch-master', 1])
  })

  test('called sentinel may rule a server, and read nothing of it', async () => {
    const sentinel = connect('redis-1', 'sentinel')
    for (const command of [['GET', '{hf:deploy:1}'], ['FLUSHALL'], ['CONFIG', 'GET', '*'], ['ACL', 'LIST']])
      await expect(sentinel.send(command)).rejects.toMatchObject({ reply: 'NOPERM' })
    expect(toText(await sentinel.send(['ROLE']))).toEqual(expect.arrayContaining(['master']))
  })
})

describe('a failover', () => {
  test('makes a replica the primary when the primary is killed, and the application writes there', async () => {
    const hosts = sentinels.map((name) => `127.0.0.1:${ports.get(name)}`).join(',')
    const url = `redis+sentinel://app:${passwords.APP_PASSWORD}@${hosts}/primary?sentinelPassword=${passwords.DISCOVERY_PASSWORD}`
    for (const name of names) await ask(name, 'ACL', 'LOG', 'RESET')
    await using hf = await connectTo(url, { namespace: 'hf', timeout: '15s' })
    const cache = hf.cache<string>('deploy', { ttl: '1m', memory: { maxEntries: 10 } })
    await cache.set('before', 'v')
    await service('redis-1').kill()
    // Sent while nobody is the primary: it waits, and is done once.
    await cache.set('during', 'v')
    const primary = await vi.waitFor(async () => {
      const named = await Promise.all(sentinels.map(primaryBy))
      expect(named[0]).not.toBe('redis-1')
      expect(new Set(named).size).toBe(1)
      return named[0] as string
    }, WAIT)
    const app = connect(primary, 'app')
    await vi.waitFor(async () => expect(toText(await app.send(['SET', '{hf:deploy:1}', 'w']))).toBe('OK'), WAIT)
    expect(await app.send(['WAIT', 1, 1_000])).toBe(1)
    expect(await cache.getMany(['before', 'during'])).toEqual(
      new Map([
        ['before', 'v'],
        ['during', 'v'],
      ]),
    )
    // Nobody was refused what he asked for: not the application, nor a replica, nor a Sentinel, by a server or by another.
    for (const name of names.filter((one) => one !== 'redis-1')) expect(await ask(name, 'ACL', 'LOG'), name).toEqual([])
  })

  test('is not undone by a restart: each server and each Sentinel remembers its part', async () => {
    const primary = await primaryBy('sentinel-1')
    const replica = servers.find((name) => name !== primary && name !== 'redis-1') as string
    // Its file says so as soon as it has changed sides; killed before, it would come back as what it was.
    await vi.waitFor(() => {
      const port = ports.get(primary)
      expect(readFileSync(service(replica).path('data', 'server.conf'), 'utf8')).toMatch(`replicaof 127.0.0.1 ${port}`)
      expect(readFileSync(service(primary).path('data', 'server.conf'), 'utf8')).not.toMatch(/^replicaof/m)
    }, WAIT)
    for (const name of [primary, replica, 'sentinel-2']) {
      await service(name).kill()
      service(name).start()
    }
    await Promise.all([primary, replica, 'sentinel-2'].map((name) => service(name).ready()))
    expect([await roleOf(primary), await roleOf(replica)]).toEqual(['master', 'slave'])
    expect(await primaryBy('sentinel-2')).toBe(primary)
    expect(await fields('sentinel-2', 'SENTINEL', 'MASTER', 'primary')).toMatchObject({ 'num-other-sentinels': '2' })
  })

  test('takes the old primary back as a replica', async () => {
    service('redis-1').start()
    await service('redis-1').ready()
    // Nobody could change its file while it was away: until Sentinel does, it holds itself for the primary. It has no
    // replica, and so takes nothing that would be lost.
    const stray = connect('redis-1', 'app')
    await expect(stray.send(['SET', '{hf:deploy:1}', 'x'])).rejects.toMatchObject({ reply: 'NOREPLICAS' })
    await vi.waitFor(async () => expect(await roleOf('redis-1')).toBe('slave'), WAIT)
    await formed()
    await vi.waitFor(async () => expect(await ask('redis-1', 'GET', '{hf:deploy:1}')).toBe('w'), WAIT)
  })
})
