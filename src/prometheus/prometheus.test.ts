import { execFile, execFileSync } from 'node:child_process'
import { connect, type Holdfast } from 'holdfast'
import { prometheus } from 'holdfast/prometheus'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { METRICS } from '../telemetry/metrics.ts'

let server: TestServer
let hf: Holdfast
let metrics: ReturnType<typeof prometheus>

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { namespace: testNamespace('prometheus'), timeout: '500ms' })
  metrics = prometheus(hf)
  // Something of everything, so that every metric of the registry has a sample.
  const products = hf.cache<number>('pro"duct\\\n', { ttl: '1m', memory: {}, load: () => 1 })
  await products.get('1')
  await products.get('2')
  await hf.limiter('api', { rules: [{ limit: 1, per: '1h' }] }).consume('ann')
  await hf.limiter('api', { rules: [{ limit: 1, per: '1h' }] }).consume('ann')
  await hf.breaker('payments', { failures: 1 }).run(() => Promise.reject(new Error('boom')), { fallback: () => 1 })
  await hf.lock('l').run(() =>
    hf
      .lock('l')
      .acquire({ wait: 1 })
      .catch(() => {}),
  )
  await hf.analytics('site').track('seen', {}, { sync: true })
  await hf.analytics('site').hit('page', '/', { at: 0 })
  await hf.pool.use((one) => one.call('PING'))
})
afterAll(async () => {
  metrics.close()
  await hf.close()
  await server.stop()
})

/** The samples of one metric, by their labels as written. */
function samples(text: string, name: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(name.length, space), Number(line.slice(space + 1))]
    }),
  )
}

it('exposes every metric of the registry, with its counts', async () => {
  const response = await metrics.respond()
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const text = await response.text()
  for (const [name, { type, help }] of Object.entries(METRICS))
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name}`)
  const cache = 'cache="pro\\"duct\\\\\\n"'
  expect(samples(text, 'holdfast_cache_requests_total').get(`{${cache},result="miss"}`)).toBe(2)
  expect(samples(text, 'holdfast_limit_decisions_total')).toEqual(
    new Map([
      ['{limiter="api",decision="allowed"}', 1],
      ['{limiter="api",decision="refused"}', 1],
    ]),
  )
  expect(samples(text, 'holdfast_breaker_state').get('{breaker="payments",state="open"}')).toBe(1)
  expect(samples(text, 'holdfast_operations_total').get('{operation="lock.run",outcome="done"}')).toBe(1)
  expect(samples(text, 'holdfast_operations_total').get('{operation="limit.consume",outcome="refused"}')).toBe(1)
  expect(samples(text, 'holdfast_operations_total').get('{operation="lock.acquire",outcome="LOCK_TIMEOUT"}')).toBe(1)
  expect(samples(text, 'holdfast_analytics_dropped_total').get('{analytics="site"}')).toBe(1)
  const buckets = [...samples(text, 'holdfast_operation_duration_seconds_bucket')]
  const ofGet = buckets.filter(([labels]) => labels.includes('"cache.get"')).map(([, count]) => count)
  expect(ofGet).toEqual(ofGet.toSorted((a, b) => a - b))
  expect(ofGet.at(-1)).toBe(2)
})

it('exposes what the server says of itself by the names of redis_exporter', async () => {
  const text = await metrics.text()
  const label = `{server="127.0.0.1:${server.port}"}`
  expect(samples(text, 'redis_up')).toEqual(new Map([[label, 1]]))
  expect(samples(text, 'redis_connected_clients').get(label)).toBeGreaterThan(0)
  expect(samples(text, 'redis_memory_max_bytes').get(label)).toBe(0)
  expect(samples(text, 'redis_rdb_last_bgsave_status').get(label)).toBe(1)
  expect(samples(text, 'redis_commands_total').get(label.replace('}', ',cmd="get"}'))).toBeGreaterThan(0)
  expect(samples(text, 'redis_db_keys').get(label.replace('}', ',db="db0"}'))).toBeGreaterThan(0)
  expect(text).toMatch(/^redis_instance_info\{server="[^"]+",role="master",redis_version="[\d.]+".*\} 1$/m)
})

it('exposes how its replicas lag, how long commands take, and how a Cluster stands', async () => {
  const replica = await startServer({ config: { replicaof: `127.0.0.1 ${server.port}` } })
  const node = await startServer({ config: { 'cluster-enabled': 'yes' } })
  await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  const cluster = await connect(`redis+cluster://127.0.0.1:${node.port}`, { timeout: '5s' })
  try {
    const of = `server="127.0.0.1:${node.port}"`
    const text = await prometheus(cluster, { instance: false }).text()
    expect(samples(text, 'redis_cluster_slots_assigned')).toEqual(new Map([[`{${of}}`, 16_384]]))
    expect([...samples(text, 'redis_cluster_state').keys()]).toEqual([`{${of}}`])
    await vi.waitFor(
      async () => {
        const lag = [...samples(await metrics.text(), 'redis_connected_slave_lag_seconds').keys()]
        expect(lag).toEqual([
          expect.stringContaining(`slave_ip="127.0.0.1",slave_port="${replica.port}",slave_state="`),
        ])
      },
      { timeout: 5_000 },
    )
    const took = samples(await metrics.text(), 'redis_latency_percentiles_usec')
    expect(took.get(`{server="127.0.0.1:${server.port}",cmd="get",quantile="99"}`)).toBeGreaterThan(0)
  } finally {
    await cluster.close()
    await Promise.all([replica.stop(), node.stop()])
  }
})

it('refuses what is no instance', () => {
  for (const wrong of [undefined, {}, server]) expect(() => prometheus(wrong as never)).toThrow('hf: expected')
})

it('is what promtool takes without a complaint', async (context) => {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
  } catch {
    context.skip('promtool is not installed')
  }
  const said = await new Promise<string>((resolve) => {
    const child = execFile('promtool', ['check', 'metrics'], (_, out, err) => resolve(`${out}${err}`))
    void metrics.text().then((text) => child.stdin?.end(text))
  })
  expect(said).toBe('')
})

it('says that a server is away, and keeps counting', async () => {
  await server.pause()
  try {
    const text = await metrics.text()
    expect([...samples(text, 'redis_up').values()]).toEqual([0])
    expect(samples(text, 'redis_connected_clients').size).toBe(0)
    expect(samples(text, 'holdfast_redis_ready').size).toBe(1)
  } finally {
    await server.resume()
  }
})
