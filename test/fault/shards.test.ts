import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ShardGroup, shardWarnings } from './shards.fixture.ts'

const groups: ShardGroup[] = []
const start = async (...args: Parameters<typeof ShardGroup.start>): Promise<ShardGroup> => {
  const group = await ShardGroup.start(...args)
  groups.push(group)
  return group
}
afterEach(async () => {
  await Promise.all(groups.splice(0).map((group) => group.stop()))
})

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error) => error.code,
  )
const house = { currency: 'EUR', sections: [{ name: 'A', rows: 2, seatsPerRow: 5, price: 100 }] }

describe('a shard that is away', () => {
  it.each(['killed', 'frozen'] as const)('makes errors for its own keys alone when it is %s', async (how) => {
    const group = await start('abc')
    const hf = await group.connect('abc', { timeout: 400 })
    const cache = hf.cache<string>('it', { ttl: '1m', whenDown: 'throw' })
    const ids = { a: group.idOf('a', 'abc'), b: group.idOf('b', 'abc'), c: group.idOf('c', 'abc') }
    for (const id of Object.values(ids)) await cache.set(id, 'before')
    const nights = { a: hf.seats(group.eventOf('a', 'abc')), b: hf.seats(group.eventOf('b', 'abc')) }
    for (const night of Object.values(nights)) await night.create(house)

    await (how === 'killed' ? group.at('b').kill() : group.at('b').pause())
    const away = ['CONNECTION_LOST', 'TIMEOUT']
    for (let round = 0; round < 4; round++) {
      expect(away).toContain(await codeOf(cache.get(ids.b)))
      expect(away).toContain(await codeOf(cache.set(ids.b, 'during')))
      expect(away).toContain(
        await codeOf(nights.b.hold({ id: `h${round}`, customer: 'x', seats: ['A-1-1'], for: '1m' })),
      )
      expect(await cache.get(ids.a)).toBe('before')
      await cache.set(ids.c, `${round}`)
      expect(await cache.get(ids.c)).toBe(`${round}`)
      expect(
        await nights.a.hold({ id: `h${round}`, customer: 'x', seats: [`A-1-${round + 1}`], for: '1m' }),
      ).toMatchObject({
        status: 'held',
      })
    }
    // Nothing of it is anywhere else.
    for (const name of ['a', 'c'])
      expect((await group.keysOn(name)).filter((key) => key.includes(`:${ids.b}}`))).toEqual([])

    if (how === 'frozen') {
      await group.at('b').resume()
      await vi.waitFor(async () => expect(await cache.get(ids.b)).toMatch(/before|during/), { timeout: 5_000 })
      expect(await nights.b.verify()).toEqual(expect.objectContaining({ ok: true }))
    } else {
      await group.at('b').restart()
      await vi.waitFor(async () => expect(await cache.get(ids.b)).toBeUndefined(), { timeout: 5_000 })
    }
    expect(await nights.a.verify()).toEqual(expect.objectContaining({ ok: true }))
  })

  it('lets connect resolve while one shard answers', async () => {
    const group = await start('abc')
    const id = group.idOf('c', 'abc')
    await (await group.connect('abc')).cache<string>('it', { ttl: '1m' }).set(id, 'kept')
    await Promise.all([group.at('a').kill(), group.at('b').kill()])
    const hf = await group.connect('abc', { timeout: 500 })
    const cache = hf.cache<string>('it', { ttl: '1m', whenDown: 'throw' })
    expect(await cache.get(id)).toBe('kept')
    expect(await codeOf(cache.get(group.idOf('a', 'abc')))).toMatch(/CONNECTION_LOST|TIMEOUT/)
    await Promise.all([group.at('c').kill()])
    expect(await codeOf(group.connect('abc', { timeout: 500 }))).toMatch(/CONNECTION_LOST|TIMEOUT/)
  })

  it('makes getMany answer for none, or load all that were asked for, and keeps nothing of it', async () => {
    const group = await start('ab')
    const hf = await group.connect('ab', { timeout: 1_000 })
    const [idA, idB] = [group.idOf('a', 'ab'), group.idOf('b', 'ab')]
    const strict = hf.cache<string>('it', { ttl: '1m', whenDown: 'throw' })
    await strict.set(idA, 'kept')
    await group.at('b').kill()
    expect(await codeOf(strict.getMany([idA, idB]))).toMatch(/CONNECTION_LOST|TIMEOUT/)
    const asked: string[] = []
    const loading = hf.cache<string>('loading', {
      ttl: '1m',
      loadMany: async (ids) => {
        asked.push(...ids)
        return new Map(ids.map((id) => [id, 'loaded']))
      },
    })
    const keyOf = (id: string) => group.cacheKey(id, 'loading')
    const both = [...group.idsOf('a', 'ab', 1, keyOf), ...group.idsOf('b', 'ab', 1, keyOf)]
    expect([...(await loading.getMany(both)).values()]).toEqual(['loaded', 'loaded'])
    expect(asked.sort()).toEqual([...both].sort())
    expect((await group.keysOn('a')).filter((key) => key.includes('loading'))).toEqual([])
  })
})

describe('the list of shards', () => {
  it('stands on every shard after the first connect, for ever', async () => {
    const group = await start('abc')
    await group.connect('abc')
    for (const name of 'abc') {
      const shards = [...'abc'].map((one) => ({ name: one, address: `127.0.0.1:${group.at(one).port}` }))
      await vi.waitFor(async () =>
        expect(await group.layoutOn(name)).toMatchObject({ version: 1, phase: 'stable', shards }),
      )
      expect(await group.at(name).command('HGET', group.record, 'self')).toBe(name)
      expect(await group.at(name).command('PTTL', group.record)).toBe(-1)
    }
  })

  it('counts more than an address, which is told of once', async () => {
    const group = await start('abcd')
    const ids = Array.from({ length: 60 }, (_, i) => `id${i}`)
    const first = (await group.connect('abc')).cache<string>('it', { ttl: '1m' })
    for (const id of ids) await first.set(id, `value of ${id}`)
    for (const names of ['abcd', 'a', 'bd']) {
      const warnings = await shardWarnings(async () => {
        const hf = await group.connect(names)
        const cache = hf.cache<string>('it', { ttl: '1m' })
        const found = await cache.getMany(ids)
        expect([...found.values()]).toEqual(ids.map((id) => `value of ${id}`))
        await Promise.all(ids.map((id) => cache.set(id, `value of ${id}`)))
      })
      expect(warnings).toEqual([expect.stringContaining(`names the shards ${[...names].join(', ')}, and`)])
      expect(warnings[0]).toContain('is on the shards a, b, c')
      expect(warnings[0]).toContain('holdfast shards move')
    }
    expect(await group.keysOn('d')).toEqual([])
    expect(await shardWarnings(async () => void (await group.connect('cba')))).toEqual([])
  })

  it('is one list also when two different ones are written at once', async () => {
    const group = await start('abc')
    for (let round = 0; round < 8; round++) {
      const one = new ShardGroup()
      const urls = [group.url('ab'), group.url('abc')]
      const [x, y] = await Promise.all(urls.map((url) => one.connectAt(url)))
      const ids = Array.from({ length: 30 }, (_, i) => `id${i}`)
      const caches = [x, y].map((hf) => hf?.cache<string>('it', { ttl: '1m', whenDown: 'throw' }))
      await Promise.all(ids.map((id) => caches[0]?.set(id, id)))
      expect([...((await caches[1]?.getMany(ids)) ?? new Map()).values()]).toEqual(ids)
      await one.stop()
    }
  })

  it('is not guessed from a minority: that some shards were never asked is an error', async () => {
    const group = await start('abc')
    await Promise.all([group.at('a').kill(), group.at('b').kill()])
    const hf = await group.connect('abc', { timeout: 300 })
    const cache = hf.cache<string>('it', { ttl: '1m', whenDown: 'throw' })
    const error = await cache.get(group.idOf('c', 'abc')).catch((caught) => caught)
    expect(error).toMatchObject({ code: expect.stringMatching(/CONNECTION_LOST|TIMEOUT/), sent: false })
    expect(await group.layoutOn('c')).toBeUndefined()
    await group.at('a').restart()
    await vi.waitFor(async () => expect(await cache.get(group.idOf('c', 'abc'))).toBeUndefined(), { timeout: 5_000 })
    expect(await group.layoutOn('c')).toMatchObject({ version: 0 })
    await group.at('b').restart()
    await vi.waitFor(async () => expect(await group.layoutOn('b')).toMatchObject({ version: 1 }), { timeout: 5_000 })
    await vi.waitFor(async () => expect(await group.layoutOn('a')).toMatchObject({ version: 1 }), { timeout: 5_000 })
  })

  it('keeps a server from being taken for another shard', async () => {
    const group = await start('ab')
    const id = group.idOf('a', 'ab')
    await (await group.connect('ab')).cache<string>('it', { ttl: '1m' }).set(id, 'kept')
    const [a, b] = [group.at('a'), group.at('b')]
    const swapped = `redis+shards://a=127.0.0.1:${b.port},b=127.0.0.1:${a.port}`
    const error = await group.connectAt(swapped, { timeout: 400 }).catch((caught) => caught)
    expect(error).toMatchObject({ code: expect.stringMatching(/CONNECTION_LOST|TIMEOUT/) })
    expect(`${error.message} ${error.cause?.message}`).toContain("is the shard 'b', and the address calls it 'a'")
  })

  it('takes the address of a shard from who names it, and passes it on', async () => {
    const group = await start('ab')
    await group.connect('ab')
    await group.closeClients()
    // The same shard on another host: restored from its file, which is here one key and the list.
    const moved = await group.add('n')
    const id = group.idOf('b', 'ab')
    for (const key of [group.record])
      for (const [field, value] of Object.entries(await hashOf(group, 'b', key)))
        await moved.command('HSET', key, field, value)
    await group.at('b').kill()
    const url = `redis+shards://a=127.0.0.1:${group.at('a').port},b=127.0.0.1:${moved.port}`
    await (await group.connectAt(url)).cache<string>('it', { ttl: '1m' }).set(id, 'there')
    await vi.waitFor(async () =>
      expect(await group.layoutOn('a')).toMatchObject({
        revision: 1,
        shards: [{ name: 'a' }, { address: `127.0.0.1:${moved.port}` }],
      }),
    )
    const warnings = await shardWarnings(async () => {
      const other = await group.connect('a')
      expect(await other.cache<string>('it', { ttl: '1m' }).get(id)).toBe('there')
    })
    expect(warnings.length).toBe(1)
  })

  it('says addresses as they were given, for each process to map', async () => {
    const group = await start('ab')
    const at = (name: string) => `127.0.0.1:${group.at(name).port}`
    const addressMap = { 'shard-b:7000': at('b') }
    const id = group.idOf('b', 'ab')
    const first = await group.connectAt(`redis+shards://a=${at('a')},b=shard-b:7000`, { addressMap })
    await first.cache<string>('it', { ttl: '1m' }).set(id, 'kept')
    await shardWarnings(async () => {
      const other = await group.connect('a', { addressMap })
      expect(await other.cache<string>('it', { ttl: '1m' }).get(id)).toBe('kept')
    })
  })

  it('is written again on a shard that lost all it had', async () => {
    const group = await start('ab')
    await group.connect('ab')
    await group.at('a').command('FLUSHALL')
    await vi.waitFor(async () => expect(await group.layoutOn('a')).toMatchObject({ version: 1 }), { timeout: 3_000 })
    await group.at('b').restart({ empty: true })
    await vi.waitFor(async () => expect(await group.layoutOn('b')).toMatchObject({ version: 1 }), { timeout: 3_000 })
  })

  it('stops calls to a shard that could not confirm it for a second, until it can', async () => {
    const group = await start('ab', { users: { default: 'on nopass ~* &* +@all' } })
    const hf = await group.connect('ab', { timeout: '10s' })
    const cache = hf.cache<string>('it', { ttl: '1m' })
    const id = group.idOf('a', 'ab')
    await cache.set(id, 'kept')
    await group.at('a').command('ACL', 'SETUSER', 'default', '-hmget')
    // It answers as fast as ever, but nothing says any more that its keys are its own.
    let call: Promise<string | undefined>
    do call = cache.get(id)
    while ((await Promise.race([call, sleep(400, 'waits')])) !== 'waits')
    expect(await cache.peek(group.idOf('b', 'ab'))).toBeUndefined()
    await group.at('a').command('ACL', 'SETUSER', 'default', '+hmget')
    expect(await call).toBe('kept')
  })

  it('names the right that reading it needs', async () => {
    const group = await start('ab', { users: { default: 'on nopass ~* &* +@all', app: 'on >pw ~{x* &* +@all' } })
    const url = group.url('ab').replace('://', '://app:pw@')
    const error = await group.connectAt(url, { timeout: '10s' }).catch((caught) => caught)
    expect(error).toMatchObject({ code: 'SERVER_DENIED', needs: expect.stringContaining(`~${group.record}* +hmget`) })
  })
})

async function hashOf(group: ShardGroup, name: string, key: string): Promise<Record<string, string>> {
  const flat = await group.at(name).command<string[]>('HGETALL', key)
  const fields: Record<string, string> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] as string] = flat[i + 1] as string
  return fields
}
