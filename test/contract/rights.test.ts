// What one right less than needed comes to: an error that names the room's rule, and a warning that lists what is missing.
import { connect, type Holdfast } from 'holdfast'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CacheKeys } from '../../src/cache/keys.ts'
import { cacheRights } from '../../src/cache/rights.ts'
import { Keyspace } from '../../src/redis/keyspace.ts'
import { aclRule, connectionRights, joinRights, type Rights, SENTINEL_RIGHTS } from '../../src/redis/rights.ts'
import { Place } from './place.ts'

const place = new Place({ seats: true, sessions: ['default'] })
const open: Holdfast[] = []
const EVENT = { currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 5, price: 1 }] }

afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})

const without = (rights: Rights, ...commands: readonly string[]): string =>
  aclRule({ ...rights, commands: rights.commands.filter((command) => !commands.includes(command)) })

/** An instance of a user with this rule, in the namespace of the test. */
async function as(rule: string, sentinelRule?: string, lazy = false): Promise<Holdfast> {
  await place.grant(place.namespace, rule, sentinelRule)
  const [, options] = await place.address()
  const hf = await connect(place.urlFor(place.namespace), { ...options, timeout: '3s', lazy })
  open.push(hf)
  return hf
}

const all = () => place.rightsIn(place.namespace)
const cacheOf = (hf: Holdfast) => hf.cache<number>('it', { ttl: '1m', whenDown: 'throw' })

/** The error of what a user was denied. */
const denied = async (doing: Promise<unknown>): Promise<{ message: string; needs: string }> => {
  const error = await doing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: 'SERVER_DENIED', needs: expect.any(String) })
  return error as { message: string; needs: string }
}

describe('a user without one right', () => {
  it.each([
    ['GET', (hf: Holdfast) => cacheOf(hf).peek('k')],
    ['EVALSHA', (hf: Holdfast) => cacheOf(hf).set('k', 1)],
    ['SET', (hf: Holdfast) => cacheOf(hf).set('k', 1)],
    ['UNLINK', (hf: Holdfast) => cacheOf(hf).delete('k')],
    ['SCAN', (hf: Holdfast) => cacheOf(hf).clear()],
    ['HSET', (hf: Holdfast) => hf.seats('night').create(EVENT)],
    ['XADD', (hf: Holdfast) => hf.seats('night').create(EVENT)],
    ['PEXPIREAT', (hf: Holdfast) => hf.sessions().create({})],
    ['HRANDFIELD', (hf: Holdfast) => hf.sessions().create({}, { userId: 'USR123' })],
  ] as const)('is told what to grant: %s', async (command, doing) => {
    place.expectDenial()
    // A list of shards that stands already needs less than one that is written now.
    await as(aclRule(all()))
    const hf = await as(without(all(), command))
    const { message, needs } = await denied(doing(hf))
    expect(needs.split(' ')).toContain(`+${command.toLowerCase()}`)
    expect(message).toContain(needs)
  })

  it('is told so when it may not touch the keys', async () => {
    place.expectDenial()
    const space = new Keyspace(`${place.namespace}-other`)
    const kind = place.kind === 'standalone' ? 'single' : place.kind
    const own = connectionRights(kind, new Keyspace(place.namespace))
    const hf = await as(aclRule(joinRights(own, cacheRights(new CacheKeys(space, 'it'), true))))
    const { needs } = await denied(cacheOf(hf).peek('k'))
    expect(needs).toContain(`~{${place.namespace}:cache:it:*`)
  })

  it('is warned once of all that is missing', async () => {
    const warnings = place.expectDenial()
    await as(aclRule(all()))
    const hf = await as(without(all(), 'MGET', 'PEXPIRE', 'ZADD'))
    await cacheOf(hf).peek('k')
    await hf.seats('night').counts()
    await denied(hf.seats('night').create(EVENT))
    await vi.waitFor(() => expect(warnings).toHaveLength(2))
    const [ofCache, ofSeats] = [...warnings].sort()
    expect(ofCache).toMatch(/^HOLDFAST_RIGHTS: .* may not MGET, PEXPIRE, ZADD, which cache needs\. Grant: ~/)
    expect(ofSeats).toMatch(/^HOLDFAST_RIGHTS: .* may not ZADD, which seats needs\. Grant: ~/)
  })
})

describe('the rights of a connection', () => {
  it('are enough, and more than one that does not listen needs', async () => {
    const kind = place.kind === 'standalone' ? 'single' : place.kind
    const space = new Keyspace(place.namespace)
    const quiet = joinRights(connectionRights(kind, space), cacheRights(new CacheKeys(space, 'it'), false))
    expect(quiet.commands).not.toContain('SUBSCRIBE')
    const hf = await as(aclRule(quiet))
    const cache = cacheOf(hf)
    await cache.getMany(['a', 'b', 'c'], (ids) => ids.map(() => 1))
    await cache.clear()
    expect(await cache.peek('a')).toBeUndefined()
  })

  it('to TIME, INFO and a name can be done without', async () => {
    place.expectDenial()
    await as(aclRule(all()))
    const hf = await as(`${without(all(), 'INFO', 'CLIENT|SETNAME')} -time`)
    expect(await cacheOf(hf).getMany(['a', 'b', 'c'], (ids) => ids.map(() => 1))).toHaveProperty('size', 3)
    expect(await cacheOf(hf).peek('a')).toBe(1)
  })

  it('to listen can be done without: memory stays off, and nobody is woken', async () => {
    place.expectDenial()
    await as(aclRule(all()))
    const hf = await as(without(all(), 'SUBSCRIBE', 'CLIENT|TRACKING'))
    const cache = hf.cache<number>('it', { ttl: '1m', memory: {}, stampede: 'fleet' })
    expect(await cache.get('k', () => 1)).toBe(1)
    for (let i = 0; i < 10; i++) expect(await cache.get('k')).toBe(1)
    expect(cache.stats.hits.memory).toBe(0)
    const night = hf.seats('night')
    await night.create(EVENT)
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'held' })
    expect((await night.changes({ since: 0 }).next()).value).toMatchObject({ kind: 'created' })
  })

  it('to PING are asked for by connect', async () => {
    place.expectDenial()
    await as(aclRule(all()))
    expect(await denied(as(without(all(), 'PING')))).toMatchObject({ needs: expect.stringContaining('+ping') })
  })

  if (place.kind === 'cluster') {
    it('to CLUSTER SLOTS are asked for by connect, to CLUSTER NODES by a sweep over all servers', async () => {
      place.expectDenial()
      const connecting = as(without(all(), 'CLUSTER|SLOTS'))
      expect((await denied(connecting)).needs).toContain('+cluster|slots')
      const hf = await as(without(all(), 'CLUSTER|NODES'))
      await cacheOf(hf).set('k', 1)
      expect((await denied(cacheOf(hf).clear())).needs).toContain('+cluster|nodes')
    })

    it('to READONLY can be done without: the primaries answer', async () => {
      place.expectDenial()
      const hf = await as(without(all(), 'READONLY'))
      const cache = hf.cache<number>('it', { ttl: '1m', whenDown: 'throw', readFrom: 'replica' })
      for (let i = 0; i < 20; i++) {
        await cache.set(`k${i}`, i)
        expect(await cache.peek(`k${i}`)).toBe(i)
      }
    })
  }

  if (place.kind === 'shards') {
    it('to read the list of shards are asked for by connect', async () => {
      place.expectDenial()
      expect((await denied(as(without(all(), 'HMGET')))).needs).toContain('+hmget')
    })

    it('to write the list of shards are asked for by connect, or by the first call', async () => {
      place.expectDenial()
      expect((await denied(as(without(all(), 'HSET')))).needs).toContain('+hset')
      const lazy = await as(without(all(), 'HSET'), undefined, true)
      await expect(cacheOf(lazy).set('k', 1)).rejects.toMatchObject({
        cause: { message: expect.stringContaining('script') },
      })
    })
  }

  if (place.kind === 'sentinel')
    it.each(['SENTINEL|MASTER', 'SENTINEL|GET-MASTER-ADDR-BY-NAME', 'SENTINEL|REPLICAS', 'SENTINEL|SENTINELS'])(
      'to %s are asked for by connect, of the user of the Sentinels',
      async (command) => {
        place.expectDenial()
        await expect(as(aclRule(all()), without(SENTINEL_RIGHTS, command))).rejects.toMatchObject({
          code: 'SERVER_DENIED',
          message: expect.stringContaining(`'${command.toLowerCase()}'`),
        })
      },
    )
})
