import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Redis } from '../redis/redis.ts'
import { resolveSettings } from '../redis/settings.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { TagStamp } from './frame.ts'
import { CacheKeys } from './keys.ts'
import { TagTable } from './tags.ts'

let server: TestServer
let redis: Redis
let keys: CacheKeys
let tags: TagTable

beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await redis.close()
  await server.stop()
})
beforeEach(async () => {
  await redis?.close()
  redis = new Redis(resolveSettings(server.url, { namespace: testNamespace('tags') }))
  await redis.connect()
  keys = new CacheKeys(redis.keyspace, 'it')
  tags = new TagTable(redis, keys, 60_000)
})

const stand = (stamps: readonly TagStamp[]) => TagTable.fresh(stamps, tags.read(stamps))

describe('the epochs of tags', () => {
  it('stay while nobody invalidates them, and settle what was loaded', async () => {
    const moment = await tags.begin(['a', 'b'])
    expect(await tags.settle(['a', 'b'], moment)).toEqual(moment.stamps)
    expect(await stand(moment.stamps)).toBe(true)
  })

  it('move by an invalidation, for what was loaded before it and for nothing else', async () => {
    const before = await tags.begin(['a'])
    await tags.invalidate(['b'])
    expect(await tags.settle(['a'], before)).toEqual(before.stamps)
    await tags.invalidate(['a'])
    expect(await tags.settle(['a'], before)).toBeUndefined()
    expect(await stand(before.stamps)).toBe(false)
    const after = await tags.begin([])
    expect(await tags.settle(['a', 'b'], after)).toHaveLength(2)
  })

  it('void what was loaded while a tag came to be that nobody knew when the load began', async () => {
    const before = await tags.begin([])
    expect(await tags.settle(['new'], before)).toHaveLength(1)
    await tags.invalidate(['newer'])
    expect(await tags.settle(['newer'], before)).toBeUndefined()
    // Never seen, and something was invalidated since: it may have been this one, and been evicted.
    expect(await tags.settle(['newest'], before)).toBeUndefined()
  })

  it('15: are missing after an eviction, and missing is stale', async () => {
    const { stamps } = await tags.begin(['a'])
    await server.command('DEL', keys.tag('a'))
    expect(await stand(stamps)).toBe(false)
    const again = await tags.begin(['a'])
    expect(again.stamps[0]?.epoch).not.toBe(stamps[0]?.epoch)
  })

  it('void a load whose known tag was evicted, invalidated by a clock that was set back, or cleared', async () => {
    for (const lose of [
      () => server.command('DEL', keys.tag('a')),
      () => server.command('DEL', keys.tag('a'), keys.generation),
      () => server.command('SET', keys.tag('a'), '1.backInTime'),
    ]) {
      const moment = await tags.begin(['a'])
      await lose()
      expect(await tags.settle(['a'], moment)).toBeUndefined()
    }
  })

  it('of one tick are read by one command', async () => {
    await tags.begin(['a', 'b', 'c'])
    await server.command('CONFIG', 'RESETSTAT')
    const readings = [tags.read([{ tag: 'a' }, { tag: 'b' }]), tags.read([{ tag: 'b' }, { tag: 'c' }])]
    expect((await Promise.all(readings.map(({ epochs }) => epochs))).map((epochs) => epochs.length)).toEqual([3, 3])
    expect(await server.command('INFO', 'commandstats')).toMatch(/cmdstat_mget:calls=1,/)
  })

  it('live longer than the entry that carries them, however often they are touched', async () => {
    await tags.begin(['a'])
    await tags.begin(['a'], 3_600_000)
    await tags.begin(['a'])
    expect(await server.command<number>('PTTL', keys.tag('a'))).toBeGreaterThan(3_600_000)
  })
})
