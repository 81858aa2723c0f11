// The cluster of deploy/cluster as eight plain processes, with the very files that the containers get.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePort, returnPort } from '../../src/testing/ports.ts'
import { type CommandArg, RespConnection, toText } from '../../src/testing/resp.ts'
import { asShown, settingsOf } from './directives.fixture.ts'
import { announcedBy, readLayout, serversOf, serviceOf } from './layout.fixture.ts'
import { newPasswords, PlainService } from './plain.fixture.ts'

const layout = readLayout('cluster')
const names = serversOf(layout)
const members = names.slice(0, 6)
const spares = names.slice(6)
const passwords = newPasswords(layout)
const ports = new Map<string, number>()
const nodes = new Map<string, PlainService>()
const opened: RespConnection[] = []
const given: number[] = []
const WAIT = { timeout: 15_000, interval: 25 }

/** A connection to a node, as a user of its own; as nobody without one. */
function connect(name: string, user?: string): RespConnection {
  const connection = new RespConnection({
    address: { host: '127.0.0.1', port: ports.get(name) as number },
    login: user === undefined ? undefined : { user, password: passwords[`${user.toUpperCase()}_PASSWORD`] as string },
  })
  opened.push(connection)
  return connection
}

const operators = new Map<string, RespConnection>()

/** Ask a node as the operator. */
async function ask(name: string, ...args: readonly CommandArg[]) {
  const known = operators.get(name)
  const connection = known?.usable ? known : connect(name, 'operator')
  operators.set(name, connection)
  return toText(await connection.send(args))
}

async function fields(name: string, ...args: readonly CommandArg[]): Promise<Record<string, string>> {
  const text = String(await ask(name, ...args))
  return Object.fromEntries([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map((match) => [match[1], match[2]]))
}

async function port(): Promise<number> {
  const one = await freePort()
  given.push(one)
  return one
}

let places: ReadonlyMap<string, string>
let creator: PlainService

beforeAll(async () => {
  for (const name of names) ports.set(name, await port())
  places = new Map(names.map((name) => [announcedBy(serviceOf(layout, name)), `127.0.0.1:${ports.get(name)}`]))
  for (const name of names) {
    const args = ['--bind', '127.0.0.1', '--cluster-port', String(await port())]
    const node = new PlainService(layout, name, { passwords, places, args })
    nodes.set(name, node)
    node.start()
  }
  await Promise.all(names.map((name) => nodes.get(name)?.ready()))
  creator = new PlainService(layout, 'create', { passwords, places })
  expect(await creator.run(), creator.log()).toBe(0)
})

afterAll(async () => {
  for (const connection of opened) connection.close()
  await Promise.all([creator, ...nodes.values()].map((service) => service?.close()))
  for (const one of given) returnPort(one)
})

describe('a node of the cluster', () => {
  test('has every setting of node.conf, as it is written there', async () => {
    const settings = settingsOf(layout, 'node.conf').filter(([name]) => name !== 'bind')
    expect(settings.length).toBeGreaterThan(12)
    for (const name of names)
      for (const [setting, written] of settings)
        expect(await ask(name, 'CONFIG', 'GET', setting), `${name} ${setting}`).toEqual([setting, asShown(written)])
  })

  test('keeps an append-only file and forgets nothing when it is full', async () => {
    for (const name of names) {
      expect(await fields(name, 'INFO', 'persistence')).toMatchObject({ aof_enabled: '1', loading: '0' })
      expect(await fields(name, 'INFO', 'memory')).toMatchObject({ maxmemory_policy: 'noeviction' })
    }
  })

  test('shows no password in its list of users, and keeps none on its volume', async () => {
    const shown = JSON.stringify(await ask('redis-1', 'ACL', 'LIST'))
    const volume = nodes.get('redis-1')?.path('data') as string
    const kept = readdirSync(volume, { recursive: true, encoding: 'utf8' }).filter((file) => file.includes('.'))
    expect(kept.length).toBeGreaterThan(2)
    for (const password of Object.values(passwords)) {
      expect(shown).not.toContain(password)
      for (const file of kept) expect(readFileSync(join(volume, file)).includes(password), file).toBe(false)
    }
  })
})

describe('the cluster', () => {
  test('is whole on all six nodes when the service that makes it has ended', async () => {
    for (const name of members)
      expect(await fields(name, 'CLUSTER', 'INFO')).toMatchObject({
        cluster_state: 'ok',
        cluster_slots_assigned: '16384',
        cluster_known_nodes: '6',
        cluster_size: '3',
      })
  })

  test('has three primaries, and a replica in step for each', async () => {
    const roles = await Promise.all(members.map((name) => fields(name, 'INFO', 'replication')))
    const primaries = roles.filter(({ role }) => role === 'master')
    const replicas = roles.filter(({ role }) => role === 'slave')
    expect(primaries.map((role) => role.connected_slaves)).toEqual(['1', '1', '1'])
    expect(replicas.map((role) => role.master_link_status)).toEqual(['up', 'up', 'up'])
    expect(roles.slice(0, 3)).toEqual(primaries)
  })

  test('leaves the spares outside', async () => {
    for (const name of spares)
      expect(await fields(name, 'CLUSTER', 'INFO')).toMatchObject({
        cluster_known_nodes: '1',
        cluster_slots_assigned: '0',
      })
  })

  test('stays as it is when the service that makes it runs again', async () => {
    const before = await ask('redis-1', 'CLUSTER', 'SLOTS')
    expect(await creator.run(), creator.log()).toBe(0)
    expect(creator.log()).toContain('nothing to do')
    expect(await ask('redis-1', 'CLUSTER', 'SLOTS')).toEqual(before)
  })

  test('is not made of nodes of which one has slots already: the service says what it found', async () => {
    await ask('redis-8', 'CLUSTER', 'ADDSLOTS', 7)
    const service = serviceOf(layout, 'create')
    const command = [announcedBy(serviceOf(layout, 'redis-7')), announcedBy(serviceOf(layout, 'redis-8'))]
    const two = { ...layout, services: { ...layout.services, create: { ...service, command } } }
    const maker = new PlainService(two, 'create', { passwords, places })
    try {
      expect(await maker.run()).toBe(1)
      expect(maker.log()).toMatch(/knows 1 nodes and 1 of 16384 slots/)
      expect(maker.log()).toMatch(/expected 2 nodes of no cluster, received 1/)
    } finally {
      await maker.close()
      await ask('redis-8', 'CLUSTER', 'RESET', 'HARD')
    }
  })
})

describe('a user', () => {
  test('without a name gets no answer, with or without a password', async () => {
    const stranger = connect('redis-1')
    await expect(stranger.send(['PING'])).rejects.toMatchObject({ reply: 'NOAUTH' })
    for (const password of ['', ...Object.values(passwords)])
      await expect(stranger.send(['AUTH', password])).rejects.toMatchObject({ reply: 'WRONGPASS' })
  })

  test('of the application reads, writes, runs scripts and listens, in its namespace', async () => {
    const app = connect('redis-1', 'app')
    // Every key of one tag: which node has it is asked, not known.
    const owner = await ownerOf('{hf:deploy:1}')
    const data = owner === 'redis-1' ? app : connect(owner, 'app')
    expect(toText(await data.send(['SET', '{hf:deploy:1}', 'v', 'PX', 60_000]))).toBe('OK')
    expect(toText(await data.send(['SET', 'lease:{hf:deploy:1}', 'v', 'PX', 60_000]))).toBe('OK')
    expect(toText(await data.send(['EVAL', "return redis.call('GET', KEYS[1])", 1, '{hf:deploy:1}']))).toBe('v')
    expect(await data.send(['WAIT', 1, 1_000])).toBe(1)
    expect(await data.send(['PUBLISH', 'hf:deploy', 'm'])).toBe(0)
    const asked = [
      ['PING'],
      ['TIME'],
      ['INFO'],
      ['ROLE'],
      ['SCAN', 0],
      ['HELLO'],
      ['CLIENT', 'ID'],
      ['CLIENT', 'SETNAME', 'app'],
      ['CLUSTER', 'SLOTS'],
      ['CLUSTER', 'SHARDS'],
      ['CLUSTER', 'NODES'],
      ['ACL', 'WHOAMI'],
      ['READONLY'],
    ]
    for (const command of asked) expect(await data.send(command), command.join(' ')).toBeDefined()
    for (const channel of ['hf:deploy', '__redis__:invalidate'])
      expect(toText(await connect(owner, 'app').send(['SUBSCRIBE', channel]))).toEqual(['subscribe', channel, 1])
  })

  test.each([
    ...['FLUSHALL', 'FLUSHDB', 'KEYS *', 'CONFIG GET maxmemory', 'CONFIG SET maxmemory 1', 'SHUTDOWN'],
    ...['ACL LIST', 'ACL SETUSER app', 'MONITOR', 'CLIENT KILL ID 1', 'CLIENT LIST', 'SCRIPT FLUSH', 'FUNCTION FLUSH'],
    ...[
      'CLUSTER RESET',
      'CLUSTER FAILOVER',
      'CLUSTER FORGET x',
      'REPLICAOF NO ONE',
      'PSYNC ? -1',
      'RANDOMKEY',
      'DBSIZE',
    ],
    ...[
      'GET other',
      'GET {other:1}',
      'SET {hfx:1} v',
      'SUBSCRIBE other',
      'PSUBSCRIBE *',
      'PUBLISH other m',
      'SORT {hf:1}',
    ],
    ...['MODULE LIST', 'SLOWLOG GET', 'LATENCY LATEST', 'BGREWRITEAOF', 'SAVE', 'SWAPDB 0 1', 'MIGRATE h 1 {hf:1} 0 1'],
  ])('of the application may not run %s', async (command) => {
    await expect(connect('redis-1', 'app').send(command.split(' '))).rejects.toMatchObject({ reply: 'NOPERM' })
  })

  test('of replication may ask for the stream of writes, and for nothing that is in it', async () => {
    const replica = connect('redis-1', 'replication')
    expect(await replica.send(['PING'])).toBe('PONG')
    for (const command of [['GET', '{hf:deploy:1}'], ['INFO'], ['CONFIG', 'GET', '*'], ['REPLICAOF', 'NO', 'ONE']])
      await expect(replica.send(command)).rejects.toMatchObject({ reply: 'NOPERM' })
  })

  test('called operator may do everything', async () => {
    expect(await ask('redis-1', 'ACL', 'DRYRUN', 'operator', 'FLUSHALL')).toBe('OK')
    const operate = (...words: string[]) => nodes.get('redis-1')?.exec('sh', '/etc/holdfast/operate.sh', ...words)
    expect(await operate('ACL', 'WHOAMI')).toEqual({ code: 0, output: 'operator\n' })
    expect((await operate('--cluster', 'check', `127.0.0.1:${ports.get('redis-2')}`))?.output).toContain(
      'All 16384 slots',
    )
  })
})

describe('a node that starts', () => {
  test.each([
    ['', /at least 16 characters, received 0: is it set in \.env/],
    ['short', /at least 16 characters, received 5/],
    [`${'x'.repeat(20)} +@all`, /letters, digits and \. _ ~ - only/],
  ])('refuses the password %o, and never shows it', async (password, reason) => {
    const refused = new PlainService(layout, 'redis-7', { passwords: { ...passwords, APP_PASSWORD: password } })
    try {
      expect(await refused.run()).not.toBe(0)
      expect(refused.log()).toMatch(/^secret app_password: /)
      expect(refused.log()).toMatch(reason)
      if (password !== '') expect(refused.log()).not.toContain(password)
    } finally {
      await refused.close()
    }
  })

  test('refuses a namespace that would mean something to a pattern', async () => {
    const refused = new PlainService(layout, 'redis-7', { passwords, environment: { NAMESPACE: '*' } })
    try {
      expect(await refused.run()).not.toBe(0)
      expect(refused.log()).toMatch(/NAMESPACE: expected letters, digits/)
    } finally {
      await refused.close()
    }
  })

  test('comes back after a kill with its name, its role and its data', async () => {
    const owner = await ownerOf('{hf:deploy:kept}')
    await ask(owner, 'SET', '{hf:deploy:kept}', 'v')
    const node = nodes.get(owner) as PlainService
    const [id, seen] = [await ask(owner, 'CLUSTER', 'MYID'), await fields(owner, 'INFO', 'server')]
    await expect.poll(() => fields(owner, 'INFO', 'persistence')).toMatchObject({ aof_rewrite_in_progress: '0' })
    await node.kill()
    expect(await node.health()).not.toBe(0)
    node.start()
    await node.ready()
    expect((await fields(owner, 'INFO', 'server')).process_id).not.toBe(seen.process_id)
    expect(await ask(owner, 'CLUSTER', 'MYID')).toBe(id)
    // A node that starts says CLUSTERDOWN for two seconds, until it knows that nobody has taken its place.
    await vi.waitFor(async () => expect(await ask(owner, 'GET', '{hf:deploy:kept}')).toBe('v'), WAIT)
  })
})

describe('a shard whose primary is gone', () => {
  test('goes on with its replica, and gets the old primary back as one', async () => {
    const key = '{hf:deploy:lost}'
    const before = await ownerOf(key)
    await ask(before, 'SET', key, 'v')
    expect(await ask(before, 'WAIT', 1, 1_000)).toBe(1)
    const witness = members.find((name) => name !== before) as string
    await nodes.get(before)?.kill()
    const after = await vi.waitFor(async () => {
      const owner = await ownerOf(key, witness)
      expect(owner).not.toBe(before)
      expect(await ask(owner, 'GET', key)).toBe('v')
      expect(await ask(owner, 'SET', key, 'w')).toBe('OK')
      return owner
    }, WAIT)
    nodes.get(before)?.start()
    const back = { role: 'slave', master_link_status: 'up' }
    await vi.waitFor(async () => expect(await fields(before, 'INFO', 'replication')).toMatchObject(back), WAIT)
    expect(await ask(after, 'WAIT', 1, 1_000)).toBe(1)
  })
})

/** The primary that has a key's slot, as `witness` knows it. */
async function ownerOf(key: string, witness = 'redis-1'): Promise<string> {
  const slot = Number(await ask(witness, 'CLUSTER', 'KEYSLOT', key))
  const ranges = (await ask(witness, 'CLUSTER', 'SLOTS')) as [number, number, [string, number, string]][]
  const owner = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
  const name = names.find((one) => ports.get(one) === owner)
  if (name === undefined) throw new Error(`no node for slot ${slot}: ${JSON.stringify(ranges)}`)
  return name
}
