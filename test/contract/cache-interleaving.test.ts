import { type Cache, type CacheOptions, connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { STREAM_BOUND_MS } from '../../src/redis/subscriber.ts'
import { History, type Row, seeded } from './cache-history.ts'

/** What is driven: a cache, or something that pretends to be one. */
interface Subject {
  get(id: string, load: () => Promise<Row>): Promise<Row>
  getMany?(
    ids: readonly string[],
    load: (ids: readonly string[]) => Promise<Row[]>,
  ): Promise<Map<string, Row | undefined>>
  peek?(id: string): Promise<Row | undefined>
  set?(id: string, row: Row): Promise<void>
  delete(id: string): Promise<unknown>
  invalidateTag?(tag: string): Promise<void>
  invalidatePattern?(pattern: string): Promise<unknown>
  clear?(): Promise<void>
}

const SEED = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31))
const IDS = ['u:1', 'u:2', 'u:3', 'w:1', 'w:2']
const GROUPS = ['a', 'b']
const STATIC_TAG = 'everything'
const tagsOf = (row: Row): readonly string[] => [STATIC_TAG, `group:${row.group}`]

interface Drive {
  readonly subjects: readonly Subject[]
  readonly rounds: number
  readonly seed: number
  readonly boundMs?: number
  /** Now and then, between two rounds. */
  readonly disturb?: () => unknown
}

/** Runs rounds of readers and one who changes things, all at once, at random moments; four rounds overlap. */
async function drive({ subjects, rounds, seed, boundMs = 0, disturb }: Drive): Promise<History> {
  const random = seeded(seed)
  const history = new History()
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const yields = async (most: number): Promise<void> => {
    const turns = Math.floor(random() * most)
    for (let i = 0; i < turns; i++) await (random() < 0.5 ? undefined : new Promise(setImmediate))
  }
  const load = async (id: string): Promise<Row> => {
    await yields(4)
    const row = history.read(id)
    await yields(random() < 0.2 ? 60 : 6)
    return row
  }

  const reader = async (): Promise<void> => {
    await yields(10)
    const subject = pick(subjects)
    const id = pick(IDS)
    const kind = random()
    if (kind < 0.15 && subject.getMany !== undefined) {
      const ids = IDS.filter(() => random() < 0.5)
      const expected = ids.map((one) => history.expect(one, tagsOf, boundMs))
      const rows = await subject.getMany(ids, (missing) => Promise.all(missing.map(load)))
      ids.forEach((one, i) => void expected[i]?.(rows.get(one) as Row))
      return
    }
    const expected = history.expect(id, tagsOf, boundMs)
    const row =
      kind < 0.25 && subject.peek !== undefined ? await subject.peek(id) : await subject.get(id, () => load(id))
    if (row !== undefined) expected(row)
  }

  const changer = async (): Promise<void> => {
    await yields(10)
    const subject = pick(subjects)
    const id = pick(IDS)
    const group = pick(GROUPS)
    history.write(id, group)
    const kind = random()
    // What could not be confirmed was not acknowledged, and promises nothing.
    try {
      if (kind < 0.2 && subject.set !== undefined) {
        const { row, acknowledge } = history.beginSet(id)
        await subject.set(id, row)
        acknowledge()
      } else if (kind < 0.4 && subject.invalidateTag !== undefined) {
        const tag = random() < 0.3 ? STATIC_TAG : `group:${group}`
        const acknowledge = history.beginTag(tag)
        await subject.invalidateTag(tag)
        acknowledge()
      } else if (kind < 0.48 && subject.invalidatePattern !== undefined) {
        const acknowledge = history.beginKeys(IDS.filter((one) => one.startsWith('u:')))
        await subject.invalidatePattern('u:*')
        acknowledge()
      } else if (kind < 0.53 && subject.clear !== undefined) {
        const acknowledge = history.beginKeys(IDS)
        await subject.clear()
        acknowledge()
      } else {
        const acknowledge = history.beginKeys([id])
        await subject.delete(id)
        acknowledge()
      }
    } catch (error) {
      if (disturb === undefined) throw error
    }
  }

  let left = rounds
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      if (disturb !== undefined && random() < 0.01) await disturb()
      await Promise.all([reader(), reader(), reader(), reader(), changer()])
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return history
}

const expectNone = (history: History, seed: number): void => {
  expect(
    history.violations.slice(0, 3),
    `HOLDFAST_SEED=${seed} gives this again, as far as the server's timing allows`,
  ).toEqual([])
}

let server: TestServer
const open: Holdfast[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})

/** The same cache in `count` instances: as many processes, as far as the cache can tell. */
async function fleet(count: number, options: Partial<CacheOptions<Row>>, url = server.url): Promise<Cache<Row>[]> {
  const namespace = testNamespace('interleaving')
  const made = await Promise.all(
    Array.from({ length: count }, (_, i) => connect(i === 0 ? url : server.url, { namespace, timeout: '2s' })),
  )
  open.push(...made)
  return made.map((hf) => hf.cache<Row>('row', { ttl: '1m', tags: tagsOf, ...options }))
}

describe('a cache under interleaved reads, loads, writes and invalidations', () => {
  const stale = { ttl: 2, expiry: { stale: '1m' } } as const
  it.each<[string, number, Partial<CacheOptions<Row>>]>([
    ['one loader per process', 3_000, {}],
    ['one loader per fleet', 3_000, { stampede: 'fleet' }],
    ['one loader per process, stale values served meanwhile', 1_500, stale],
    ['one loader per fleet, stale values served meanwhile', 1_500, { ...stale, stampede: 'fleet' }],
    ['writes that persist first', 1_000, { write: { mode: 'through', persist: () => new Promise(setImmediate) } }],
    ['entries that live for milliseconds', 1_000, { ttl: 3, expiry: { jitter: 1 } }],
  ])('never serves a value older than an acknowledged invalidation: %s', async (_, rounds, options) => {
    const subjects = await fleet(3, options)
    expectNone(await drive({ subjects: subjects as Subject[], rounds, seed: SEED }), SEED)
  })

  it.each(['process', 'fleet'] as const)(
    'never serves one while the connections of a process are cut and its server is away now and then: one loader per %s',
    async (stampede) => {
      await using proxy = await startProxy({ target: server })
      const subjects = await fleet(3, { stampede }, proxy.url)
      const random = seeded(SEED)
      const history = await drive({
        subjects: subjects as Subject[],
        rounds: 1_000,
        seed: SEED,
        disturb: async () => {
          if (random() < 0.2) {
            await proxy.refuse()
            setTimeout(() => void proxy.heal(), 100)
          }
          proxy.cut()
        },
      })
      expectNone(history, SEED)
    },
  )

  it('never serves a value older than the stated bound with the memory tier, its stream being killed now and then', async () => {
    const subjects = await fleet(3, { memory: { maxEntries: 100 } })
    const history = await drive({
      subjects: subjects as Subject[],
      rounds: 5_000,
      seed: SEED,
      boundMs: STREAM_BOUND_MS,
      disturb: () => server.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    })
    expectNone(history, SEED)
    expect(subjects.reduce((sum, { stats }) => sum + stats.hits.memory, 0)).toBeGreaterThan(100)
  })

  it('is told from a naive cache, which serves old values', async () => {
    const naive: Subject = {
      async get(id, load) {
        const found = await server.command<string | null>('GET', `naive:${id}`)
        if (found !== null) return JSON.parse(found) as Row
        const row = await load()
        await server.command('SET', `naive:${id}`, JSON.stringify(row))
        return row
      },
      delete: (id) => server.command('DEL', `naive:${id}`),
    }
    const history = await drive({ subjects: [naive, naive], rounds: 500, seed: SEED })
    expect(history.violations.length).toBeGreaterThan(0)
  })
})
