// The caches that ours is measured beside, each set up as its README says, with what helps it:
//
//   keyv                 a store and nothing else: no read-through, no protection against a stampede
//   cache-manager        `wrap`; in memory: a store in memory before the one in Redis
//   cacheable            `getOrSet`; Redis as the primary store, or as the secondary behind its own memory
//   BentoCache           `getOrSet`; a store with Redis alone, or with memory before it, which keeps objects as they are
//                        (serialize: false, its fastest); no bus, since one process is measured
//   async-cache-dedupe   `define`; its storage is either Redis or memory, never both
//
// Plain JavaScript, run where it lies: the packages are in bench/node_modules, on a client of the same version as ours.

import { createCache as createDedupe } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache as createManager } from 'cache-manager'
import { Cacheable, Keyv, KeyvRedis } from './stores.mjs'

const HOUR_MS = 3_600_000
const MEMORY_ENTRIES = 10_000

/**
 * A peer: what it does of what is measured; left out, it has none.
 *
 * hit(id, load)      read-through with Redis alone
 * memory(id, load)   the same with what it keeps in memory, filled before
 * get, set           for one without read-through
 * many(ids, load)    a batch; `load` gives the values of the missing ids in their order
 * tagged(id, load)   as hit, with two tags
 */
export async function openPeers(url) {
  const { hostname: host, port } = new URL(url)
  const closers = []
  const redisStore = (namespace) => {
    const keyv = new Keyv({ store: new KeyvRedis(url), namespace })
    closers.push(() => keyv.disconnect())
    return keyv
  }

  const plain = redisStore('keyv')
  const manager = createManager({ stores: [redisStore('manager')], ttl: HOUR_MS })
  const managerMemory = createManager({ stores: [new Keyv(), redisStore('manager-memory')], ttl: HOUR_MS })
  const cacheable = new Cacheable({ primary: redisStore('cacheable'), ttl: HOUR_MS })
  const cacheableMemory = new Cacheable({ secondary: redisStore('cacheable-memory'), ttl: HOUR_MS })
  const connection = { host, port: Number(port) }
  const bento = new BentoCache({
    default: 'redis',
    ttl: HOUR_MS,
    stores: {
      redis: bentostore().useL2Layer(redisDriver({ connection, prefix: 'bento' })),
      tiered: bentostore()
        .useL1Layer(memoryDriver({ maxItems: MEMORY_ENTRIES, serialize: false }))
        .useL2Layer(redisDriver({ connection, prefix: 'bento-tiered' })),
    },
  })
  closers.push(() => bento.disconnectAll())
  const { Redis } = await import('ioredis')
  const client = new Redis(connection)
  closers.push(() => client.quit())
  const dedupe = (storage, load) => createDedupe({ ttl: HOUR_MS / 1_000, storage }).define('value', load)

  return {
    peers: [
      {
        name: 'keyv',
        get: (id) => plain.get(id),
        set: (id, value) => plain.set(id, value, HOUR_MS),
        many: (ids, load) =>
          batch(
            ids,
            load,
            (all) => plain.getMany(all),
            (entries) => plain.setMany(entries),
          ),
      },
      {
        name: 'cache-manager',
        hit: (id, load) => manager.wrap(id, () => load(id)),
        memory: (id, load) => managerMemory.wrap(id, () => load(id)),
        many: (ids, load) =>
          batch(
            ids,
            load,
            (all) => manager.mget(all),
            (entries) => manager.mset(entries),
          ),
      },
      {
        name: 'cacheable',
        hit: (id, load) => cacheable.getOrSet(id, () => load(id)),
        memory: (id, load) => cacheableMemory.getOrSet(id, () => load(id)),
        many: (ids, load) =>
          batch(
            ids,
            load,
            (all) => cacheable.getMany(all),
            (entries) => cacheable.setMany(entries),
          ),
      },
      {
        name: 'BentoCache',
        hit: (key, load) => bento.use('redis').getOrSet({ key, factory: () => load(key) }),
        memory: (key, load) => bento.use('tiered').getOrSet({ key, factory: () => load(key) }),
        tagged: (key, tags, load) => bento.use('redis').getOrSet({ key: `t-${key}`, tags, factory: () => load(key) }),
      },
      {
        name: 'async-cache-dedupe',
        ...dedupeOf(dedupe, client),
      },
    ],
    async close() {
      await Promise.all(closers.map((close) => close().catch(() => {})))
    },
  }
}

/** It has one loader for good, which asks the one that was given last: within a scenario they are the same. */
function dedupeOf(dedupe, client) {
  let load
  const inRedis = dedupe({ type: 'redis', options: { client } }, (id) => load(id))
  const inMemory = dedupe({ type: 'memory', options: { size: MEMORY_ENTRIES } }, (id) => load(id))
  const after = (cache) => (id, given) => {
    load = given
    return cache.value(id)
  }
  return { hit: after(inRedis), memory: after(inMemory) }
}

/** What a user of a cache without a batch loader writes: read all, load what is missing at once, store it. */
async function batch(ids, load, getMany, setMany) {
  const found = await getMany(ids)
  const missing = ids.filter((_, i) => found[i] === undefined || found[i] === null)
  const values = load(missing)
  await setMany(missing.map((key, i) => ({ key, value: values[i], ttl: HOUR_MS })))
  const loaded = new Map(missing.map((id, i) => [id, values[i]]))
  return ids.map((id, i) => found[i] ?? loaded.get(id))
}
