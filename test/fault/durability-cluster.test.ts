// Durable sales and connections of one's own on a Cluster: on the node that has the key, also after it moved.
import { connect } from 'holdfast'
import { startCluster, type TestCluster, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { SLOTS } from '../../src/redis/slots.ts'

const HALL = { currency: 'EUR', sections: [{ name: 'A', rows: 10, seatsPerRow: 100, price: 4999 }] }

let cluster: TestCluster
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  cluster = await startCluster({ announceHostnames: true })
})
afterEach(async () => {
  await cluster.heal()
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => cluster.stop())

async function open(timeout = 5_000) {
  const namespace = testNamespace('cluster')
  const hf = await connect(`redis+cluster://127.0.0.1:${cluster.nodes[0]!.port}`, {
    ...{ namespace, timeout, addressMap: cluster.addressMap },
  })
  closing.push(() => hf.close())
  const night = hf.seats('night', { durability: 'replica' })
  await night.create(HALL)
  let last = 0
  const sell = async () => {
    const { id } = await night.hold({
      id: `h${last}`,
      customer: 'ann',
      seats: [`A-${1 + Math.floor(last / 100)}-${(last++ % 100) + 1}`],
    })
    return night.confirm(id)
  }
  return { hf, night, sell, key: `{${namespace}:seats:night}` }
}

const waitsOf = async (node: TestServer) =>
  Number(/cmdstat_wait:calls=(\d+)/.exec(String(await node.command('INFO', 'commandstats')))?.[1] ?? 0)

/** Which nodes carried out a WAIT while `work` ran. */
async function waitedOn(work: () => Promise<unknown>): Promise<readonly TestServer[]> {
  const before = await Promise.all(cluster.nodes.map(waitsOf))
  await work()
  const after = await Promise.all(cluster.nodes.map(waitsOf))
  return cluster.nodes.filter((_, i) => after[i] !== before[i])
}

/** Opens the slot of a key for a move to another primary, and moves its keys. `settle` ends the move. */
async function beginMove(key: string) {
  const from = await cluster.primaryOf(key)
  const primaries = await cluster.primaries()
  const to = primaries.find((node) => node !== from) as TestServer
  const slot = await from.command<number>('CLUSTER', 'KEYSLOT', key)
  expect(slot).toBeLessThan(SLOTS)
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await cluster.idOf(from))
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await cluster.idOf(to))
  const keys = await from.command<string[]>('CLUSTER', 'GETKEYSINSLOT', slot, 100)
  await from.command('MIGRATE', to.host, to.port, '', 0, 5_000, 'KEYS', ...keys)
  const settle = async () => {
    const owner = await cluster.idOf(to)
    for (const node of [to, from, ...primaries.filter((node) => node !== to && node !== from)])
      await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', owner)
  }
  return { from, to, settle }
}

it('waits on the node that has the event, while its slot moves and after it has moved', async () => {
  const { sell, night, key } = await open()
  const owner = await cluster.primaryOf(key)
  const waited = await waitedOn(async () => {
    for (let i = 0; i < 5; i++) expect(await sell()).toMatchObject({ status: 'confirmed', durable: true })
  })
  expect(waited).toEqual([owner])
  const { to, settle } = await beginMove(key)
  // Asked, and sent on: the write is on the node that the slot goes to, and so is the WAIT.
  const half = await waitedOn(async () => expect(await sell()).toMatchObject({ status: 'confirmed', durable: true }))
  expect(half).toContain(to)
  await settle()
  await cluster.settled()
  await vi.waitFor(async () => {
    const moved = await waitedOn(async () => expect(await sell()).toMatchObject({ status: 'confirmed', durable: true }))
    expect(moved).toEqual([to])
  })
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('asks the replica of the right shard: another shard without one makes no difference', async () => {
  const { sell, key } = await open(600)
  const owner = await cluster.primaryOf(key)
  const [own] = await cluster.replicasOf(owner)
  const stranger = (await cluster.primaries()).find((node) => node !== owner) as TestServer
  const [theirs] = await cluster.replicasOf(stranger)
  await theirs!.pause()
  expect(await sell()).toMatchObject({ status: 'confirmed', durable: true })
  await theirs!.resume()
  await own!.pause()
  expect(await sell()).toMatchObject({ status: 'confirmed', durable: false })
  await own!.resume()
  await cluster.settled()
  await vi.waitFor(async () => expect(await sell()).toMatchObject({ durable: true }), { timeout: 10_000 })
})

it('goes on with the replica that took over, and says false until that one has a replica again', async () => {
  const { sell, night, key } = await open(8_000)
  const owner = await cluster.primaryOf(key)
  expect(await sell()).toMatchObject({ durable: true })
  const [heir] = await cluster.replicasOf(owner)
  await owner.kill()
  const through = await sell()
  expect(through).toMatchObject({ status: 'confirmed', durable: false })
  expect(await cluster.primaryOf(key)).toBe(heir)
  await owner.restart()
  await cluster.settled()
  await vi.waitFor(async () => expect(await sell()).toMatchObject({ durable: true }), { timeout: 10_000 })
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('lends a connection to the node that has a key, and tells where a key went', async () => {
  const { hf, key } = await open()
  const owner = await cluster.primaryOf(key)
  const portOf = (of: string) =>
    hf.pool.use(async (own) => Number(/laddr=\S+:(\d+)/.exec(String(await own.call('CLIENT', 'INFO')))?.[1]), {
      key: of,
    })
  expect(await portOf(key)).toBe(owner.port)
  const ports = await Promise.all(Array.from({ length: 30 }, (_, i) => portOf(`key-${i}`)))
  const owners = await Promise.all(Array.from({ length: 30 }, (_, i) => cluster.primaryOf(`key-${i}`)))
  expect(ports).toEqual(owners.map(({ port }) => port))
  expect(Object.keys(hf.pool.stats.nodes)).toHaveLength(3)
  // No move is followed on such a connection: what was watched or queued is on the old node.
  const to = await hf.pool.use(
    async (own) => {
      const move = await beginMove(key)
      await move.settle()
      await expect(own.call('HGET', key, 'version')).rejects.toMatchObject({ code: 'SERVER_ERROR', reply: 'MOVED' })
      return move.to
    },
    { key },
  )
  await vi.waitFor(async () => expect(await portOf(key)).toBe(to.port))
})
