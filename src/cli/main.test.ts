import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type ConnectOptions, connect } from '../index.ts'
import { startServer } from '../testing/index.ts'
import { makeOneOfEach } from './one-of-each.fixture.ts'
import { holdfast, type Outcome, outcome, start } from './program.fixture.ts'

interface Described {
  readonly url: string
  readonly addressMap: Readonly<Record<string, string>>
  readonly servers: readonly { readonly role: string; readonly port: number; readonly pid: number }[]
}

const started: ChildProcess[] = []
let up: ChildProcess
let ended: Promise<Outcome>
let described: Described
let env: Record<string, string>

/** Runs `holdfast up --json` until it says that it is ready. */
async function startUp(...words: string[]): Promise<Described> {
  up = start(['up', '--json', ...words])
  started.push(up)
  ended = outcome(up)
  const [line] = (await once(createInterface({ input: up.stdout! }), 'line')) as [string]
  return JSON.parse(line) as Described
}

const isRunning = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))

beforeAll(async () => {
  described = await startUp('--cluster', '--spares', '2', '--announce')
  env = { REDIS_URL: described.url, HOLDFAST_ADDRESS_MAP: JSON.stringify(described.addressMap) }
})

afterAll(async () => {
  const running = started.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  await Promise.all(
    running.map((child) => {
      child.kill('SIGTERM')
      return once(child, 'close')
    }),
  )
})

/** The announced address of a server. */
const announced = (port: number) =>
  Object.entries(described.addressMap).find(([, real]) => real.endsWith(`:${port}`))?.[0] as string
const spares = () => described.servers.filter(({ role }) => role === 'spare').map(({ port }) => announced(port))

describe('holdfast', () => {
  it('tells its version, and helps with an example for each verb', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await outcome(start(['--version']))).toMatchObject({ code: 0, out: `${version}\n` })
    const verbs = ['status', 'check', 'add', 'remove', 'rebalance', 'move', 'failover', 'fix'].map((v) => [
      'cluster',
      v,
    ])
    for (const verb of [['up'], ['verify'], ['bench'], ...verbs]) {
      const { code, out } = await holdfast([...verb, '--help'])
      expect(code).toBe(0)
      expect(out).toContain(`\n  holdfast ${verb.join(' ')}`)
    }
  })

  it.each([
    [['nonsense'], 2, /nonsense/],
    [['cluster', 'status', '--nonsense'], 2, /nonsense/],
    [
      ['cluster', 'status', '--url', 'redis+cluster://h', '--timeout', 'soon'],
      2,
      /^CONFIG_INVALID: --timeout: expected/,
    ],
    [['cluster', 'status'], 2, /--url: expected an address here or in REDIS_URL/],
    [['up', '--cluster', '--sentinel'], 2, /expected one kind of servers/],
    [['cluster', 'check', '--url', 'redis+cluster://:s3cret@127.0.0.1:1', '--timeout', '300ms'], 3, /CONNECTION_LOST/],
  ])('%j ends with %i and says why on stderr', async (words, code, why) => {
    const said = await holdfast(words)
    expect(said).toMatchObject({ code, out: '' })
    expect(said.err).toMatch(why)
    expect(said.err).not.toContain('s3cret')
  })
})

/** Makes something of every kind, and has `holdfast rm` remove it again from all servers. */
async function expectRemoval(env: Readonly<Record<string, string>>, options: ConnectOptions): Promise<void> {
  const hf = await connect({ ...options, namespace: 'shop', timeout: '5s' })
  await makeOneOfEach(hf)
  await hf.close()
  const at = async (...words: string[]) =>
    JSON.parse((await holdfast([...words, '--namespace', 'shop', '--json'], env)).out)
  const { keys } = await at('keys')
  expect(keys).toBeGreaterThan(40)
  expect((await at('keys', 'cache', 'pro*')).keys.length).toBeGreaterThan(2)
  expect(await at('rm', '--yes')).toMatchObject({ keys, removed: keys })
  expect(await at('keys')).toMatchObject({ keys: 0, unknown: 0 })
}

describe('holdfast cluster', () => {
  it('shows the cluster that up started, to people and to programs', async () => {
    const shown = await holdfast(['cluster', 'status'], env)
    expect(shown).toMatchObject({ code: 0, err: '' })
    expect(shown.out).toMatch(/^Cluster ok: 16,384 of 16,384 slots, 3 primaries, 3 replicas, 0 keys\n/)
    expect(shown.out).toMatch(/node-1\.\w+\.invalid:\d+ +[0-9a-f]{8} +primary +5,461 +0-5460 /)
    const { out } = await holdfast(['cluster', 'status', '--json'], env)
    expect(JSON.parse(out)).toMatchObject({ state: 'ok', nodes: { length: 6 } })
    expect(await holdfast(['cluster', 'check'], env)).toMatchObject({
      code: 0,
      out: 'ok: nothing wrong with 6 nodes\n',
    })
  })

  it('is rid of a namespace by rm, whatever was in it', async () => {
    await expectRemoval(env, { url: described.url, addressMap: described.addressMap })
  })

  it('grows, hands over and shrinks, each told before by --dry-run', async () => {
    const [primary, replica] = spares() as [string, string]
    const run = async (...words: string[]) => {
      const said = await holdfast(['cluster', ...words], env)
      expect(said, said.err).toMatchObject({ code: 0 })
      return said
    }
    expect((await run('add', primary, '--dry-run')).out).toMatch(/would become a primary without slots/)
    expect((await run('add', primary)).out).toMatch(/^Added node-7\S+ \([0-9a-f]{8}\) as a primary without slots in /)
    await run('add', replica, '--replica-of', primary)
    expect((await run('rebalance', '--dry-run')).out).toBe('No slots would move.\n')
    const plan = JSON.parse((await run('rebalance', '--use-empty', '--dry-run', '--json')).out)
    expect(plan.moves.map(({ slots }: { slots: number }) => slots).sort()).toEqual([1_365, 1_365, 1_366])
    const moved = await run('rebalance', '--use-empty', '--json')
    expect(JSON.parse(moved.out)).toMatchObject({ slots: 4_096 })
    expect(moved.err).toMatch(/moving slots: 100 %, 4096 of 4096/)
    expect((await run('failover', replica)).out).toMatch(
      /^node-8\S+ has taken over from node-7\S+, and all nodes agree/,
    )
    await run('move', '--count', '10', '--from', replica, '--to', announced(described.servers[0]!.port))
    expect(await holdfast(['cluster', 'remove', replica], env)).toMatchObject({
      code: 4,
      out: '',
      err: expect.stringContaining('--yes'),
    })
    expect((await run('remove', replica, '--yes')).out).toMatch(/^Removed node-8\S+: moved 4,086 slots /)
    await run('remove', primary, '--yes')
    expect((await run('check')).out).toBe('ok: nothing wrong with 6 nodes\n')
  })

  it('refuses what would break the cluster with 4, and a failed check with 1', async () => {
    const first = announced(described.servers[0]!.port)
    const { code, err } = await holdfast(['cluster', 'remove', first, '--yes'], env)
    expect(code).toBe(4)
    expect(err).toMatch(/expected 3 primaries with slots to stay/)
    const replica = described.servers.find(({ role }) => role === 'replica')!
    process.kill(replica.pid, 'SIGKILL')
    await vi.waitFor(() => expect(isRunning(replica.pid)).toBe(false))
    const checked = await holdfast(['cluster', 'check', '--timeout', '500ms'], env)
    expect(checked).toMatchObject({ code: 1 })
    expect(checked.out).toMatch(/error +node-unreachable: .*\n(.*\n)*warning +primary-without-replica: /)
  })
})

it('holdfast cluster move stops at Ctrl-C between two lots, with 130 and nothing open', async () => {
  const [from, to] = described.servers.map(({ port }) => announced(port)) as [string, string]
  const moving = start(['cluster', 'move', '--count', '5000', '--from', from, '--to', to, '--timeout', '5s'], env)
  const said = outcome(moving)
  await once(moving.stderr!, 'data')
  moving.kill('SIGINT')
  expect(await said).toMatchObject({ code: 130, out: '', err: expect.stringContaining('Interrupted.') })
  const { out } = await holdfast(['cluster', 'status', '--json', '--timeout', '500ms'], env)
  const { nodes } = JSON.parse(out) as { nodes: { slots: number; openSlots: unknown[] }[] }
  expect(nodes.flatMap(({ openSlots }) => openSlots)).toEqual([])
  expect(Math.min(...nodes.map(({ slots }) => slots).filter((slots) => slots > 0))).toBeGreaterThan(461)
})

describe('holdfast shards', () => {
  it('plans and moves a namespace to one shard more, while every value stays', async () => {
    const servers = await Promise.all(Array.from({ length: 3 }, () => startServer()))
    const url = (n: number) =>
      `redis+shards://${servers
        .slice(0, n)
        .map((s, i) => `s${i}=${s.host}:${s.port}`)
        .join(',')}`
    try {
      const hf = await connect(url(2), { namespace: 'shop', timeout: '5s' })
      const cache = hf.cache<number>('n', { ttl: '1h' })
      const ids = Array.from({ length: 300 }, (_, n) => n)
      await Promise.all(ids.map((n) => cache.set(`${n}`, n)))
      const words = ['--url', url(2), '--to', url(3), '--namespace', 'shop']
      const planned = await holdfast(['shards', 'plan', ...words])
      expect(planned, planned.err).toMatchObject({ code: 0 })
      expect(planned.out).toMatch(/^shop: s0, s1 → s0, s1, s2\n\d+ of 300 keys move \(\d+\.\d %\), about /)
      expect(await holdfast(['shards', 'move', ...words, '--force'])).toMatchObject({ code: 4 })
      const moved = await holdfast(['shards', 'move', ...words, '--json'])
      expect(moved, moved.err).toMatchObject({ code: 0 })
      expect(JSON.parse(moved.out)).toMatchObject({ status: 'moved', to: ['s0', 's1', 's2'] })
      expect(moved.err).toMatch(/moving keys/)
      for (const n of ids) expect(await cache.peek(`${n}`)).toBe(n)
      expect(Number(await servers[2]!.command('DBSIZE'))).toBeGreaterThan(50)
      await hf.close()
      expect((await holdfast(['shards', 'plan', '--url', url(3), '--to', url(3), '--namespace', 'shop'])).out).toMatch(
        /Nothing to do/,
      )
      await holdfast(['rm', '--url', url(3), '--namespace', 'shop', '--yes'])
      expect(await Promise.all(servers.map((server) => server.command('DBSIZE')))).toEqual([0, 0, 0])
      await expectRemoval({ REDIS_URL: url(3) }, { url: url(3) })
    } finally {
      await Promise.all(servers.map((server) => server.stop()))
    }
  })
})

describe('holdfast up', () => {
  it('serves until SIGTERM, and leaves no process behind', async () => {
    const { url, addressMap, servers } = described
    const hf = await connect(url, { addressMap, timeout: '5s' })
    const cache = hf.cache<number>('n', { ttl: '1m' })
    await cache.set('a', 1)
    expect(await cache.peek('a')).toBe(1)
    await hf.close()
    up.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0 })
    expect(servers.filter(({ pid }) => isRunning(pid))).toEqual([])
  })

  it.each([
    [['--shards', '2'], ['shard1', 'shard2'], /^redis\+shards:\/\/shard1=127\.0\.0\.1:\d+,shard2=/],
    [[], ['server'], /^redis:\/\/127\.0\.0\.1:\d+$/],
  ])('%j starts %j and stops at Ctrl-C', async (words, roles, form) => {
    const { url, servers } = await startUp(...words)
    expect(url).toMatch(form)
    expect(servers.map(({ role }) => role)).toEqual(roles)
    const hf = await connect(url)
    await hf.close()
    up.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0 })
    expect(servers.filter(({ pid }) => isRunning(pid))).toEqual([])
  })

  it('takes the ports that it is told to, the Sentinels after the servers, and says which is taken', async () => {
    const port = 9_000 + Math.floor(Math.random() * 1_000)
    const { url, servers } = await startUp('--sentinel', '--replicas', '1', '--port', `${port}`)
    expect(servers.map((server) => server.port)).toEqual([0, 1, 2, 3, 4].map((n) => port + n))
    expect(url).toBe(`redis+sentinel://127.0.0.1:${port + 2},127.0.0.1:${port + 3},127.0.0.1:${port + 4}/primary`)
    await expectRemoval({ REDIS_URL: url }, { url })
    // One that is taken, and one that would be behind the last that there is.
    for (const [words, received] of [
      [['--cluster', '--port', `${port}`], port],
      [['--shards', '2', '--port', '65535'], 65_536],
    ] as const)
      expect(await holdfast(['up', ...words])).toMatchObject({
        ...{ code: 2, out: '' },
        err: expect.stringMatching(
          `^CONFIG_INVALID: --port: expected ports .*, free ones are taken\\), received ${received}\n`,
        ),
      })
    up.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0 })
  })
})
