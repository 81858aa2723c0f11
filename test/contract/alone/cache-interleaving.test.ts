import { type Cache, type CacheOptions, connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { drive, expectNone, SEED, type Subject, tagsOf } from '../cache-drive.ts'
import { type Row, seeded } from '../cache-history.ts'

let server: TestServer
const open: Holdfast[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})

/** The same cache in three instances, one of them by way of `url`. */
async function fleet(options: Partial<CacheOptions<Row>>, url: string): Promise<Cache<Row>[]> {
  const namespace = testNamespace('interleaving')
  const made = await Promise.all(
    [url, server.url, server.url].map((each) => connect(each, { namespace, timeout: '2s' })),
  )
  open.push(...made)
  return made.map((hf) => hf.cache<Row>('row', { ttl: '1m', tags: tagsOf, ...options }))
}

describe('a cache under interleaved reads, loads, writes and invalidations, on a server of its own', () => {
  it.each(['process', 'fleet'] as const)(
    'never serves one while the connections of a process are cut and its server is away now and then: one loader per %s',
    async (stampede) => {
      await using proxy = await startProxy({ target: server })
      const subjects = await fleet({ stampede }, proxy.url)
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
