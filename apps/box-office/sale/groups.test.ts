import { startCluster, startSentinel, startServer } from 'holdfast/testing'
import type { Redis } from 'ioredis'
import { expect, it, vi } from 'vitest'
import { openRaw } from '../audit/raw.ts'
import { fileOf } from '../place.ts'
import type { RedisAddress } from '../servers/address.ts'
import { type OnceRun, runOnce } from './once.ts'
import type { Summary } from './summary.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 180_000 })

const SALE: OnceRun = { buyers: 60, seats: 300, seed: 3, processes: 1, redis: undefined, onFault: () => {} }

function brokenIn(summary: Summary): string[] {
  return summary.invariants.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))
}

interface Place {
  readonly address: RedisAddress
  stop(): Promise<unknown>
}

const PLACES: Record<string, () => Promise<Place>> = {
  async 'a Cluster behind an address map'() {
    const cluster = await startCluster({ announceHostnames: true, password: 'a secret/@:' })
    return { address: { url: cluster.url, addressMap: cluster.addressMap }, stop: () => cluster.stop() }
  },
  async 'a Sentinel group'() {
    const group = await startSentinel({ password: 'a secret/@:', sentinelPassword: 'another' })
    return { address: { url: group.url }, stop: () => group.stop() }
  },
  async shards() {
    const servers = await Promise.all([startServer(), startServer()])
    const url = `redis+shards://${servers.map(({ host, port }, i) => `shard${i}=${host}:${port}`).join(',')}`
    return { address: { url }, stop: () => Promise.all(servers.map((server) => server.stop())) }
  },
}

/** Writes a key of somebody else, of a name that this server may have; answers it. */
async function plant(redis: Redis): Promise<string> {
  for (let number = 0; ; number += 1) {
    const key = `{box-office-${number}}:somebody-else`
    const refused = await redis.set(key, 'is here').catch((error: Error) => error)
    if (refused === 'OK') return key
    if (!(refused instanceof Error && refused.message.startsWith('MOVED'))) throw refused
  }
}

it.each(Object.keys(PLACES))('sells on %s of somebody else, verifies it, and leaves nothing there', async (name) => {
  const place = await (PLACES[name] as () => Promise<Place>)()
  try {
    const raw = await openRaw(place.address)
    const others = await Promise.all((await raw.primaries()).map(plant))
    const summary = await runOnce({
      ...SALE,
      redis: place.address,
      // Processes of their own need the map too.
      ...(place.address.addressMap === undefined ? {} : { processes: 2 }),
      program: fileOf('main.ts'),
      execArgv: ['--import', new URL('../../../scripts/typescript.mjs', import.meta.url).href],
    })
    expect(brokenIn(summary)).toEqual([])
    expect(summary.seats.sold).toBeGreaterThan(50)
    expect(summary.storm).toBeNull()
    const left = await Promise.all((await raw.primaries()).map((redis) => redis.keys('*')))
    raw.close()
    expect(left).toEqual(others.map((key) => [key]))
  } finally {
    await place.stop()
  }
})

it.each(['cluster', 'sentinel'] as const)(
  'loses no sale in a storm over a %s, and sells none twice',
  async (layout) => {
    const [faults, said]: [unknown[], string[]] = [[], []]
    const summary = await runOnce({
      ...{ ...SALE, buyers: 120, layout },
      onFault: (error) => faults.push(error),
      onStorm: (what) => said.push(what),
    })
    expect(brokenIn(summary)).toEqual([])
    expect(faults).toEqual([])
    expect(summary.storm?.[0]).toEqual({ name: 'primary killed', ms: expect.any(Number) })
    expect(said.slice(0, 2)).toEqual([
      expect.stringMatching(/^storm: kill -9 of the primary 127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^storm: over after/),
    ])
    expect(summary.traffic.failovers).toBeGreaterThan(0)
    expect(summary.longestWaitMs).toBeLessThan(20_000)
    expect(summary.seats.sold).toBeGreaterThan(80)
  },
)
