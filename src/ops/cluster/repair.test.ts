import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast } from '../../index.ts'
import { slotOf } from '../../redis/slots.ts'
import { startCluster, type TestCluster, type TestServer } from '../../testing/index.ts'
import { type ClusterAdmin, openClusterAdmin } from './admin.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

let cluster: TestCluster
let admin: ClusterAdmin
let hf: Holdfast
let ids: readonly string[]

beforeAll(async () => {
  cluster = await startCluster({ replicas: 0 })
  admin = openClusterAdmin({ url: cluster.url })
  hf = await connect(cluster.url, { timeout: '5s' })
  ids = await Promise.all(cluster.nodes.map((node) => cluster.idOf(node)))
})

afterAll(async () => {
  await hf?.close()
  await admin?.close()
  await cluster?.stop()
})

const address = ({ host, port }: TestServer) => `${host}:${port}`
const openSlots = async () => (await admin.status()).nodes.flatMap((node) => node.openSlots)
/** A node and another one, a slot of the first, and a text of that slot. */
async function aSlot(): Promise<{ from: TestServer; to: TestServer; slot: number; tag: string }> {
  const [from, to] = cluster.nodes as [TestServer, TestServer]
  const slot = (await admin.status()).nodes.find(({ id }) => id === ids[0])!.ranges[0]![0]
  return { from, to, slot, tag: keyIn(slot) }
}

async function mark(node: TestServer, slot: number, word: string, peer: TestServer): Promise<void> {
  await node.command('CLUSTER', 'SETSLOT', slot, word, ids[cluster.nodes.indexOf(peer)] as string)
}

async function expectWell(): Promise<void> {
  expect(await openSlots()).toEqual([])
  const { ok, status } = await admin.check()
  expect({ ok, disagreement: status.disagreement }).toEqual({ ok: true, disagreement: undefined })
}

describe('fix', () => {
  it('does nothing where nothing is open', async () => {
    expect(await admin.fix()).toEqual({ finished: [], closed: [], covered: [], keys: 0 })
  })

  it('takes the mark away of a move that had not begun, and of one that only its target knew', async () => {
    const { from, to, slot } = await aSlot()
    await mark(to, slot, 'IMPORTING', from)
    const { problems } = await admin.check()
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'slots-open', nodes: [address(to)], slots: [[slot, slot]] }),
      ]),
    )
    expect(await admin.fix()).toMatchObject({ closed: [[slot, slot]], finished: [] })
    await expectWell()
    expect((await cluster.primaryOf(keyIn(slot))).port).toBe(from.port)
  })

  it('brings a move to its end whose keys stand on both sides, with the copy that was served', async () => {
    const { from, to, slot, tag } = await aSlot()
    await from.command('SET', `{${tag}}a`, 'a')
    await from.command('SET', `{${tag}}b`, 'b')
    await from.command('SET', `{${tag}}gone`, 'x')
    await mark(to, slot, 'IMPORTING', from)
    await mark(from, slot, 'MIGRATING', to)
    await from.command('MIGRATE', '127.0.0.1', to.port, `{${tag}}gone`, 0, 5_000)
    // As a MIGRATE leaves it whose answer was lost: on both sides, and changed since where it was served.
    await from.command('MIGRATE', '127.0.0.1', to.port, `{${tag}}a`, 0, 5_000, 'COPY')
    await from.command('SET', `{${tag}}a`, 'newer')
    await expect(admin.rebalance()).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
    expect(await admin.fix()).toMatchObject({ finished: [[slot, slot]], closed: [], keys: 2 })
    await expectWell()
    expect((await cluster.primaryOf(tag)).port).toBe(to.port)
    expect(await to.command('MGET', `{${tag}}a`, `{${tag}}b`, `{${tag}}gone`)).toEqual(['newer', 'b', 'x'])
    expect(await from.command('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(0)
  })

  it('closes a move of which only the new owner was told', async () => {
    const { from, to, slot, tag } = await aSlot()
    await from.command('SET', `{${tag}}c`, 'c')
    await mark(to, slot, 'IMPORTING', from)
    await mark(from, slot, 'MIGRATING', to)
    await from.command('MIGRATE', '127.0.0.1', to.port, `{${tag}}c`, 0, 5_000)
    await mark(to, slot, 'NODE', to)
    await admin.fix()
    await expectWell()
    expect(await to.command('GET', `{${tag}}c`)).toBe('c')
  })

  it('gives slots without owner to a primary when asked to, and not before', async () => {
    const { from, slot } = await aSlot()
    for (const node of cluster.nodes) await node.command('CLUSTER', 'DELSLOTS', slot)
    expect((await admin.check()).problems).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'slots-uncovered', slots: [[slot, slot]] })]),
    )
    expect(await admin.fix()).toMatchObject({ covered: [] })
    expect(await admin.fix({ cover: true })).toMatchObject({ covered: [[slot, slot]] })
    await expectWell()
    expect(cluster.nodes).toContain(await cluster.primaryOf(keyIn(slot)))
    expect(from.pid).toBeDefined()
  })
})

it('finishes what a mover left that was killed with -9 in the middle: every key has its value', async () => {
  const cache = hf.cache<number>('kept', { ttl: '1h' })
  const ids = Array.from({ length: 6_000 }, (_, n) => n)
  await Promise.all(ids.map((n) => cache.set(`${n}`, n)))
  const expectKept = async () => {
    const found = await cache.getMany(
      ids.map((n) => `${n}`),
      async () => new Map(),
    )
    expect([...found.values()]).toEqual(ids)
  }
  const [from, , to] = cluster.nodes as [TestServer, TestServer, TestServer]
  if (await movesWhole(from)) {
    // The servers go on by themselves, and nothing is ever open.
    await moveAndKill(from, to, async () => (await jobs(from)) !== '')
    await vi.waitFor(async () => expect(await jobs(from)).not.toMatch(/waiting|snapshot|repl|pause/), {
      timeout: 20_000,
    })
    await expectWell()
    return expectKept()
  }
  // Killed between two lots it leaves nothing open: then once more.
  for (let attempt = 0; (await openSlots()).length === 0; attempt++) {
    expect(attempt).toBeLessThan(10)
    await admin.rebalance()
    await moveAndKill(from, to, async () => (await from.command<string>('CLUSTER', 'NODES')).includes('->-'))
  }
  const { ok, problems } = await admin.check()
  expect(ok).toBe(false)
  expect(problems.map(({ kind }) => kind)).toContain('slots-open')
  const report = await admin.fix()
  console.log(`fixed: ${JSON.stringify(report)}`)
  await expectWell()
  await admin.rebalance()
  await expectWell()
  await expectKept()
})

/** The server moves slots whole when it is asked to. */
const movesWhole = async (server: TestServer) =>
  (await server.command<(null | string[])[]>('COMMAND', 'INFO', 'cluster|migrateslots'))[0] != null
/** The states of what it moves and has moved. */
const jobs = async (server: TestServer) => {
  const all = await server.command<(string | number)[][]>('CLUSTER', 'GETSLOTMIGRATIONS')
  return all.map((job) => job[job.indexOf('state') + 1]).join(' ')
}

/** Kills a mover as soon as slots are seen on their way. */
async function moveAndKill(from: TestServer, to: TestServer, areSeen: () => Promise<boolean>): Promise<void> {
  const script = join(ROOT, 'src/ops/cluster/move-to-be-killed.fixture.ts')
  const words = [cluster.url, '3000', address(from), address(to)]
  const child = spawn(process.execPath, ['--import', join(ROOT, 'scripts/typescript.mjs'), script, ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  while (child.exitCode === null && !(await areSeen()));
  child.kill('SIGKILL')
  await ended
}

/** Any key of the slot. */
function keyIn(slot: number): string {
  for (let n = 0; ; n++) if (slotOf(`${n}`) === slot) return `${n}`
}
