import { expect, it } from 'vitest'
import { startCluster, startServer } from '../testing/index.ts'
import { type BenchmarkRow, benchmark } from './benchmark.ts'
import { measureLatency } from './open-loop.ts'
import { SCENARIOS } from './scenarios.ts'

const figuresOf = ({ throughput, latency }: BenchmarkRow): number[] => [
  ...[throughput?.perSecond, throughput?.rawPerSecond, throughput?.ratio].map(Number),
  ...[latency?.p50, latency?.p95, latency?.p99, latency?.p999, latency?.max, latency?.count].map(Number),
]

it('has figures for every scenario, and leaves no key', async () => {
  const server = await startServer()
  try {
    const told: string[] = []
    const result = await benchmark({
      ...{ connect: { url: server.url, timeout: '5s' }, each: 100, clients: 10 },
      onRow: ({ id }) => void told.push(id),
    })
    expect(result.rows.flatMap(({ error }) => error ?? [])).toEqual([])
    expect(told).toEqual(SCENARIOS.map(({ id }) => id))
    for (const row of result.rows) {
      for (const figure of figuresOf(row)) expect(figure, row.id).toBeGreaterThan(0)
      const { p50, p95, p99, p999, max } = row.latency!
      expect([p50, p95, p99, p999, max], row.id).toEqual([p50, p95, p99, p999, max].toSorted((a, b) => a - b))
    }
    expect(result).toMatchObject({
      topology: 'single',
      servers: 1,
      sharesMachine: true,
      version: server.version,
      left: undefined,
    })
    expect(result.rttMs).toBeGreaterThan(0)
    expect(await server.command('KEYS', '*')).toEqual([])
  } finally {
    await server.stop()
  }
})

it('measures a Cluster beside the client alone, each on the server of its keys', async () => {
  const cluster = await startCluster({ replicas: 0 })
  try {
    const result = await benchmark({ connect: { url: cluster.url, timeout: '5s' }, each: 60, clients: 6 })
    expect(result.rows.map(({ id, error }) => [id, error])).toEqual(SCENARIOS.map(({ id }) => [id, undefined]))
    expect(result).toMatchObject({ topology: 'cluster', servers: 3, left: undefined })
    for (const node of cluster.nodes) expect(await node.command('DBSIZE')).toBe(0)
  } finally {
    await cluster.stop()
  }
})

it('tells why a scenario has no figures, and goes on', async () => {
  const server = await startServer({ users: { app: 'on >secret ~* &* +@all -xadd' } })
  try {
    const url = server.url.replace('://', '://app:secret@')
    const { rows } = await benchmark({ connect: { url }, each: 40, clients: 2, only: ['queue', 'session'] })
    for (const row of rows.slice(0, 2)) expect(row).toMatchObject({ error: { code: 'SERVER_DENIED' } })
    expect(rows[2]?.latency?.count).toBeGreaterThan(0)
  } finally {
    await server.stop()
  }
})

it('counts a server that stands still for all who were due meanwhile', async () => {
  // One answer takes 100 ms, all others none: a closed loop would have one slow answer in a hundred.
  let stall: Promise<void> | undefined
  const run = async (turn: number) => {
    if (turn === 20) stall = new Promise((resolve) => setTimeout(resolve, 100))
    await stall
  }
  const signal = new AbortController().signal
  const { count, max, p50, p95 } = await measureLatency(run, {
    rate: 500,
    forMs: 200,
    lanes: 1,
    firstTurn: 0,
    signal,
  })
  expect(count).toBe(100)
  expect(max).toBeGreaterThan(95)
  // 50 of 100 were due while it stood still.
  expect(p95).toBeGreaterThan(60)
  expect(p50).toBeLessThan(max)
})

it('ends at a signal in the middle of a scenario, and leaves nothing', async () => {
  const server = await startServer()
  try {
    const stop = new AbortController()
    const options = { connect: { url: server.url, timeout: '5s' }, each: '1m', only: ['lock', 'value'] } as const
    const looking = setInterval(async () => {
      if (Number(await server.command('DBSIZE')) > 0) stop.abort(new Error('enough'))
    }, 5)
    await expect(benchmark({ ...options, signal: stop.signal })).rejects.toThrow('enough')
    clearInterval(looking)
    expect(await server.command('KEYS', '*')).toEqual([])
  } finally {
    await server.stop()
  }
})

it('refuses scenarios that do not exist', async () => {
  await expect(benchmark({ connect: {}, only: ['lok'] })).rejects.toMatchObject({ option: 'only', received: "'lok'" })
  await expect(benchmark({ connect: {}, clients: 0 })).rejects.toMatchObject({ option: 'clients' })
})
