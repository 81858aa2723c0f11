/**
 * The cache against the raw client doing the same wire work, in the same run:
 * `npm run bench -- cache [--peers] [--json] [--rounds N] [--only WORD]`. With `--peers`, other caches take part in each round too
 * (peers/cache.mjs says how each is set up). The floor of each scenario is its first contender.
 */

import { connect } from 'holdfast'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { measureColdKey, measureFrozen, measureReach } from './harness/cache-fleet.ts'
import {
  hitContenders,
  manyContenders,
  memoryContenders,
  missContenders,
  peersOf,
  tagContenders,
} from './harness/peers.ts'
import { type Row, report, rowsOf } from './harness/report.ts'
import { measure, type RoundOptions } from './harness/rounds.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const rounds = Number(flag('rounds') ?? 9)
const only = flag('only')
const KEYS = 1_000

/** About 1 KiB of JSON, as an application's record looks. */
const product = (id: string) => ({
  id,
  name: `Product ${id} with a name of a usual length`,
  price: 4_999,
  tags: ['new', 'sale', 'summer', 'cotton'],
  stock: { warehouse: 42, shop: 7, reserved: 3 },
  description: 'A long text that describes the thing in the words of those who sell it. '.repeat(8),
  images: Array.from({ length: 4 }, (_, i) => ({ url: `/images/${id}/${i}.jpg`, width: 1200, height: 800 })),
})

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench' })
const others = await peersOf(server.url)
const ids = Array.from({ length: KEYS }, (_, i) => `${i}`)
const rows: Row[] = []
const scenario = async (name: string, work: () => Promise<readonly Row[]>) => {
  if (only === undefined || name.includes(only)) rows.push(...(await work()))
}
const at = (callers: number): RoundOptions => ({ callers, rounds, sliceMs: 250 })

await scenario('hit in Redis', async () => {
  const cache = hf.cache<object>('hit', { ttl: '1h' })
  for (let i = 0; i < KEYS; i++) {
    await raw.set(`raw:${i}`, JSON.stringify(product(`${i}`)))
    await cache.set(`${i}`, product(`${i}`))
  }
  const measured = await measure(
    [
      {
        name: 'ioredis GET + JSON.parse',
        run: async (turn) => JSON.parse((await raw.get(`raw:${turn % KEYS}`)) as string),
      },
      { name: 'holdfast get', run: (turn) => cache.get(`${turn % KEYS}`) },
      ...(await hitContenders(others, ids, product)),
    ],
    at(100),
  )
  return rowsOf('hit in Redis, 1 KiB, 100 callers', measured, { 'holdfast get': 0.95 })
})

await scenario('hit in memory', async () => {
  const cache = hf.cache<object>('memory', { ttl: '1h', memory: { maxEntries: 10_000 } })
  const lru = new LRUCache<string, object>({ max: 10_000 })
  for (const id of ids) {
    await cache.set(id, product(id))
    lru.set(id, product(id))
  }
  // The invalidations of the writes above have to pass before anything is kept.
  // And again after a slice of others that let nobody else have a turn: our tier is off while its stream is unheard.
  const ready = async () => {
    while (cache.stats.memory.entries < KEYS) await Promise.all(ids.map((id) => cache.get(id)))
  }
  await ready()
  const measured = await measure(
    [
      { name: 'await lru-cache', run: async (turn) => lru.get(ids[turn % KEYS] as string) },
      { name: 'holdfast get', run: (turn) => cache.get(ids[turn % KEYS] as string), ready },
      ...(await memoryContenders(others, ids, product)),
    ],
    at(1),
  )
  return rowsOf('hit in memory', measured, { 'holdfast get': 0.4 })
})

await scenario('miss and fill', async () => {
  const cache = hf.cache<object>('miss', { ttl: '1m', load: (id) => product(id) })
  // A hit now and then keeps it from asking for the lease at once: this is the way of a cache that mostly hits.
  const mixed = hf.cache<object>('mixed', { ttl: '1m', expiry: { stale: '1m' }, load: (id) => product(id) })
  let run = 0
  const measured = await measure(
    [
      {
        name: 'ioredis GET, SET PX',
        run: async () => {
          const id = `${run++}`
          if ((await raw.get(`miss:${id}`)) === null)
            await raw.set(`miss:${id}`, JSON.stringify(product(id)), 'PX', 60_000)
        },
      },
      { name: 'holdfast get, three steps', run: () => mixed.get(`${run++}`) },
      { name: 'holdfast get, two steps', run: () => cache.get(`${run++}`) },
      ...missContenders(others, () => `miss-${run++}`, product),
    ],
    at(100),
  )
  return rowsOf('miss and fill, 1 KiB, 100 callers', measured, {
    'holdfast get, three steps': 0.65,
    'holdfast get, two steps': 0.9,
  })
})

await scenario('getMany', async () => {
  await raw.flushall()
  const hits = Array.from({ length: KEYS }, (_, i) => `hit-${i}`)
  const cache = hf.cache<object>('many', {
    ttl: '1m',
    loadMany: (ids) => ids.map((id) => product(id)),
  })
  for (const id of hits) {
    await cache.set(id, product(id))
    await raw.set(`many:${id}`, JSON.stringify(product(id)))
  }
  let run = 0
  const hundred = () => {
    const start = (run++ * 50) % KEYS
    return [...hits.slice(start, start + 50), ...Array.from({ length: 50 }, () => `miss-${run++}`)]
  }
  const measured = await measure(
    [
      {
        name: 'ioredis MGET, pipeline of SET PX',
        run: async () => {
          const ids = hundred()
          const found = await raw.mget(ids.map((id) => `many:${id}`))
          const answers = new Map<string, unknown>()
          const pipeline = raw.pipeline()
          for (const [i, text] of found.entries()) {
            const id = ids[i] as string
            const value = text === null ? product(id) : JSON.parse(text)
            answers.set(id, value)
            if (text === null) pipeline.set(`many:${id}`, JSON.stringify(value), 'PX', 60_000)
          }
          await pipeline.exec()
        },
      },
      { name: 'holdfast getMany', run: () => cache.getMany(hundred()) },
      ...(await manyContenders(others, hits, hundred, product)),
    ],
    at(4),
  )
  return rowsOf('getMany of 100, half hits', measured, { 'holdfast getMany': 0.9 })
})

await scenario('two tags', async () => {
  await raw.flushall()
  const plain = hf.cache<object>('plain', { ttl: '1h' })
  const tagged = hf.cache<object>('tagged', { ttl: '1h' })
  const plainMemory = hf.cache<object>('plain-memory', { ttl: '1h', memory: {} })
  const taggedMemory = hf.cache<object>('tagged-memory', { ttl: '1h', memory: {} })
  for (let i = 0; i < KEYS; i++) {
    const id = `${i}`
    const tags = [`team:${i % 50}`, `city:${i % 20}`]
    await Promise.all([plain.set(id, product(id)), plainMemory.set(id, product(id))])
    await Promise.all([tagged.set(id, product(id), { tags }), taggedMemory.set(id, product(id), { tags })])
  }
  for (const cache of [plainMemory, taggedMemory])
    while (cache.stats.memory.entries < KEYS) await Promise.all(ids.map((id) => cache.get(id)))
  const off = await measure(
    [
      { name: 'holdfast get, no tags', run: (turn) => plain.get(ids[turn % KEYS] as string) },
      { name: 'holdfast get, two tags', run: (turn) => tagged.get(ids[turn % KEYS] as string) },
    ],
    at(100),
  )
  const on = await measure(
    [
      { name: 'holdfast get, no tags', run: (turn) => plainMemory.get(ids[turn % KEYS] as string) },
      { name: 'holdfast get, two tags', run: (turn) => taggedMemory.get(ids[turn % KEYS] as string) },
    ],
    at(1),
  )
  const peers: Row[] = []
  for (const pair of await tagContenders(others, ids, product))
    peers.push(...rowsOf('hit with two tags, memory off', await measure(pair, at(100))))
  return [
    ...peers,
    ...rowsOf('hit with two tags, memory off', off, { 'holdfast get, two tags': 0.8 }),
    ...rowsOf('hit with two tags, memory on', on, { 'holdfast get, two tags': 0.95 }),
  ]
})

await scenario('cold key', () => measureColdKey(server.url))
await scenario('invalidation', () => measureReach(server.url))
await scenario('frozen', () => measureFrozen())

report(
  `Cache against the raw client (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`,
  rows,
)
await others.close()
await hf.close()
raw.disconnect()
await server.stop()
