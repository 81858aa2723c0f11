import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { slotOf } from '../../redis/slots.ts'
import { startCluster, type TestCluster, type TestServer } from '../../testing/index.ts'
import { type ClusterAdmin, openClusterAdmin } from './admin.ts'
import { startLoad } from './load.fixture.ts'
import type { MoveProgress } from './mover.ts'

const PASSWORD = 'p@ss "w\\ö:rd/'

let cluster: TestCluster
let admin: ClusterAdmin
let spare: TestServer
let second: TestServer

/** Announced names resolve nowhere: everything goes through the address map, and MIGRATE must not. */
beforeAll(async () => {
  cluster = await startCluster({ spares: 2, announceHostnames: true, password: PASSWORD })
  ;[spare, second] = cluster.spares as [TestServer, TestServer]
  admin = openClusterAdmin({ url: cluster.url, addressMap: cluster.addressMap })
})

afterAll(async () => {
  await admin?.close()
  await cluster?.stop()
})

const announced = (server: TestServer): string =>
  Object.entries(cluster.addressMap).find(([, real]) => real === `127.0.0.1:${server.port}`)?.[0] as string
const kinds = async () => (await admin.check()).problems.map(({ kind }) => kind)
const nodeOf = async (server: TestServer) =>
  (await admin.status()).nodes.find(({ reachedAt }) => reachedAt === `127.0.0.1:${server.port}`)
/** Every node's own opinion of the cluster, asked past the library. */
const states = () =>
  Promise.all(
    cluster.nodes.map(async (node) => /cluster_state:(\w+)/.exec(await node.command<string>('CLUSTER', 'INFO'))?.[1]),
  )

describe('a cluster admin', () => {
  it('shows nodes, slots, links and where they are reached', async () => {
    const status = await admin.status()
    expect(status).toMatchObject({ state: 'ok', agreed: true, keys: 0 })
    expect(status.coverage).toEqual({ owned: 16_384, total: 16_384, missing: [] })
    expect(status.nodes.map(({ role }) => role)).toEqual(Array.from({ length: 3 }, () => ['primary', 'replica']).flat())
    const [primary, replica] = status.nodes
    expect(primary).toMatchObject({ ranges: [[0, 5_460]], slots: 5_461, version: cluster.nodes[0]?.version })
    expect(primary?.address).toMatch(/^node-1\.\w+\.invalid:\d+$/)
    expect(primary?.reachedAt).toBe(`127.0.0.1:${cluster.nodes[0]?.port}`)
    expect(primary?.memoryBytes).toBeGreaterThan(100_000)
    expect(replica).toMatchObject({ primaryId: primary?.id, link: 'up', state: 'ok' })
    expect(await admin.check()).toMatchObject({ ok: true, problems: [] })
  })

  it('grows by a primary and its replica and gives it a quarter of the slots, while 16 callers lose nothing', async () => {
    const load = await startLoad(cluster, 16)
    let seen: MoveProgress | undefined
    try {
      const added = await admin.add(announced(spare))
      expect(added).toMatchObject({ role: 'primary', slots: 0, state: 'ok' })
      expect(await kinds()).toEqual(['primary-without-slots'])
      const replica = await admin.add(announced(second), { replicaOf: added.id.slice(0, 8) })
      expect(replica).toMatchObject({ role: 'replica', primaryId: added.id, link: 'up' })
      const plan = await admin.planRebalance({ useEmpty: true })
      expect(plan.map(({ to }) => to)).toEqual([added.address, added.address, added.address])
      const report = await admin.rebalance({ useEmpty: true, onProgress: (progress) => (seen = progress) })
      console.log(`rebalance under load: ${JSON.stringify(report)}`)
      expect(report.slots).toBe(4_096)
      expect(seen).toMatchObject({ done: 4_096, total: 4_096, keys: report.keys })
    } finally {
      const { done, failed, wrong } = await load.stop()
      console.log(`calls: ${done} set and read back, ${failed.length} failed, ${wrong.length} wrong`)
      expect({ failed, wrong }).toEqual({ failed: [], wrong: [] })
      expect(done).toBeGreaterThan(1_000)
    }
    expect(await admin.check()).toMatchObject({ ok: true, problems: [] })
    const owners = (await admin.status()).nodes.filter(({ role }) => role === 'primary')
    expect(owners.map(({ slots }) => slots)).toEqual([4_096, 4_096, 4_096, 4_096])
    expect(await states()).toEqual(Array(6).fill('ok'))
    expect(await admin.rebalance({ useEmpty: true })).toMatchObject({ slots: 0, keys: 0 })
  })

  it('adds a member again without harm, and refuses a server that is not empty or of another cluster', async () => {
    expect(await admin.add(announced(spare))).toMatchObject({ slots: 4_096 })
    await expect(admin.add('127.0.0.1')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(admin.add(announced(second), { replicaOf: announced(second) })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      option: 'replicaOf',
    })
    const other = await startCluster({ replicas: 0, password: PASSWORD })
    try {
      await expect(admin.add(`127.0.0.1:${other.nodes[0]?.port}`)).rejects.toMatchObject({
        code: 'CHANGE_REFUSED',
        message: expect.stringMatching(/knows 2 other nodes/),
      })
    } finally {
      await other.stop()
    }
  })

  it('knows a member by the name that it has now, and adds it until every member does', async () => {
    const [name, port] = announced(spare).split(':')
    const rename = (to: string) => spare.command('CONFIG', 'SET', 'cluster-announce-hostname', to)
    const hear = async (heard: string) => {
      for (const node of cluster.nodes) expect(await node.command('CLUSTER', 'NODES')).toContain(`,${heard}`)
    }
    await rename('renamed.invalid')
    expect(await nodeOf(spare)).toMatchObject({ address: `renamed.invalid:${port}` })
    await vi.waitFor(() => hear('renamed.invalid'), 10_000)
    await rename(name as string)
    await admin.add(announced(spare))
    await hear(name as string)
  })

  it('moves chosen slots with their keys, of every type and with their lifetimes', async () => {
    const from = (await nodeOf(spare))!
    const [[first] = [0]] = from.ranges
    const tag = tagOf(first)
    await spare.command('SET', `{${tag}}s`, 'text', 'PX', 600_000)
    await spare.command('RPUSH', `{${tag}}l`, 'a', 'b')
    await spare.command('HSET', `{${tag}}h`, 'f', 'x'.repeat(6 * 2 ** 20))
    for (let n = 0; n < 1_200; n++) await spare.command('SET', `{${tag}}many:${n}`, n)
    const to = (await admin.status()).nodes.find(({ role, id }) => role === 'primary' && id !== from.id)!
    const report = await admin.move([first], from.address, to.address)
    expect(report).toMatchObject({ slots: 1 })
    expect(report.keys).toBeGreaterThanOrEqual(1_203)
    const target = cluster.nodes.find(({ port }) => to.reachedAt.endsWith(`:${port}`))!
    expect(await target.command('PTTL', `{${tag}}s`)).toBeGreaterThan(500_000)
    expect(await target.command('LRANGE', `{${tag}}l`, 0, -1)).toEqual(['a', 'b'])
    expect(await target.command('HSTRLEN', `{${tag}}h`, 'f')).toBe(6 * 2 ** 20)
    expect(await target.command('GET', `{${tag}}many:1199`)).toBe('1199')
    expect(await admin.check()).toMatchObject({ ok: true })
    expect(await admin.move(1, to.address, from.address)).toMatchObject({ slots: 1 })
  })

  it.each([
    [[99_999], 'slots'],
    [0, 'slots'],
    [[], 'slots'],
  ])('refuses to move %j', async (slots, option) => {
    const [from, , to] = (await admin.status()).nodes.map(({ address }) => address) as [string, string, string]
    await expect(admin.move(slots, from, to)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  })

  it('lets a replica take over, and back again, and says when all agree', async () => {
    const before = (await nodeOf(spare))!
    const taken = await admin.failover(announced(second))
    expect(taken).toMatchObject({ role: 'primary', slots: before.slots })
    expect(await nodeOf(spare)).toMatchObject({ role: 'replica', primaryId: taken.id, link: 'up' })
    // Of a primary: its replica.
    expect(await admin.failover(taken.address)).toMatchObject({ id: before.id, role: 'primary' })
    expect(await admin.check()).toMatchObject({ ok: true, problems: [] })
  })

  it('shrinks again while 16 callers lose nothing: slots first, then the node, which is empty and alone', async () => {
    const load = await startLoad(cluster, 16)
    try {
      const report = await admin.remove(announced(spare))
      console.log(`remove under load: ${JSON.stringify(report)}`)
      expect(report.slots).toBeGreaterThan(4_000)
      await admin.remove(announced(second))
    } finally {
      const { failed, wrong } = await load.stop()
      expect({ failed, wrong }).toEqual({ failed: [], wrong: [] })
    }
    expect(await admin.check()).toMatchObject({ ok: true, problems: [] })
    expect((await admin.status()).nodes).toHaveLength(6)
    for (const server of [spare, second]) {
      expect(await server.command('CLUSTER', 'INFO')).toMatch(/cluster_known_nodes:1\b/)
      expect(await server.command('DBSIZE')).toBe(0)
    }
    // They may come back at once.
    expect(await admin.add(announced(spare))).toMatchObject({ slots: 0 })
    await admin.remove(announced(spare))
  })

  it('refuses to leave two primaries', async () => {
    const { address } = (await nodeOf(cluster.nodes[0]!))!
    await expect(admin.remove(address)).rejects.toMatchObject({
      name: 'ChangeRefusedError',
      code: 'CHANGE_REFUSED',
      message: expect.stringMatching(/expected 3 primaries with slots to stay, received 2/),
    })
    await expect(admin.remove('nobody:1')).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'node' })
  })

  it('reports a replica without link, a node that is gone and a primary without replica', async () => {
    const [primary, , , replica] = cluster.nodes as [TestServer, TestServer, TestServer, TestServer]
    await replica.kill()
    const { ok, problems } = await admin.check()
    expect(ok).toBe(false)
    expect(problems.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['node-unreachable', 'primary-without-replica']),
    )
    expect(problems.find(({ kind }) => kind === 'primary-without-replica')?.nodes).toEqual([announced(primary)])
    await replica.restart()
    await admin.settled()
    expect(await kinds()).toEqual([])
  })

  it('stops between two lots when it is told to, with nothing left open', async () => {
    const stop = new AbortController()
    const [from, to] = (await admin.status()).nodes.filter(({ role }) => role === 'primary')
    let moved = 0
    const moving = admin.move(1_000, from!.address, to!.address, {
      signal: stop.signal,
      onProgress: ({ done }) => {
        moved = done
        stop.abort(new Error('enough'))
      },
    })
    await expect(moving).rejects.toThrow('enough')
    await admin.settled()
    expect(moved).toBeLessThan(1_000)
    expect((await admin.status()).nodes.find(({ id }) => id === from?.id)?.slots).toBe(from!.slots - moved)
    expect(await admin.check()).toMatchObject({ ok: true, problems: [] })
  })
})

/** A text whose slot is this one. */
function tagOf(slot: number): string {
  for (let n = 0; ; n++) if (slotOf(`${n}`) === slot) return `${n}`
}

describe('openClusterAdmin', () => {
  it.each([
    [{ url: 'redis://127.0.0.1:1' }, 'url'],
    [{ url: 'redis+cluster://h', timeout: '1 parsec' }, 'timeout'],
    [{ url: 'redis+cluster://h', patience: 1 }, 'patience'],
  ])('refuses %j by name', (options, option) => {
    expect(() => openClusterAdmin(options as never)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', option }) as never,
    )
  })

  it('says that no node answers, and which were asked, without the password', async () => {
    const away = openClusterAdmin({ url: 'redis+cluster://:s3cret@127.0.0.1:1,127.0.0.1:2', timeout: '200ms' })
    await expect(away.status()).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
      message: expect.stringMatching(/^cluster: no connection to 127.0.0.1:1, 127.0.0.1:2 \(connect ECONNREFUSED/),
    })
    await away.close()
  })

  it('says that the password is wrong', async () => {
    const wrong = openClusterAdmin({ url: cluster.url, password: 'wrong', timeout: '1s' })
    await expect(wrong.check()).rejects.toMatchObject({ code: 'AUTH_FAILED' })
    await wrong.close()
  })
})
