import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect } from 'holdfast'
import { startServer } from 'holdfast/testing'
import type { Row } from './report.ts'
import { median, quantile } from './rounds.ts'

const LOAD_MS = 50

/** Starts this program's children: `bench/cache-child`, as source or compiled. */
function startChild(url: string, role: string): ChildProcess {
  const here = fileURLToPath(import.meta.url)
  const child = here.replace(/harness\/[^/]+\.(ts|js)$/, 'cache-child.$1')
  return fork(child, [url, role], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

/** 4 processes × 250 callers of one cold key. */
export async function measureColdKey(url: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const role of ['process', 'fleet'] as const) {
    const children = Array.from({ length: 4 }, () => startChild(url, role))
    await Promise.all(children.map((child) => nextMessage(child)))
    const loads: number[] = []
    const lasts: number[] = []
    for (let round = 0; round < 7; round++) {
      const answers = children.map((child) => nextMessage<{ loads: number; lastMs: number }>(child))
      for (const child of children) child.send({ id: `cold-${round}` })
      const results = await Promise.all(answers)
      loads.push(results.reduce((sum, result) => sum + result.loads, 0))
      lasts.push(Math.max(...results.map((result) => result.lastMs)))
    }
    for (const child of children) child.disconnect()
    await Promise.all(children.map((child) => once(child, 'exit')))
    const most = Math.max(...loads)
    const last = median(lasts)
    rows.push({
      scenario: `cold key, 4 processes × 250 callers, ${LOAD_MS} ms load`,
      contender: `holdfast, stampede: '${role}'`,
      figure: `${most} load${most === 1 ? '' : 's'}, last answer ${last.toFixed(1)} ms (${Math.min(...lasts).toFixed(1)}–${Math.max(...lasts).toFixed(1)})`,
      ...(role === 'fleet'
        ? { target: `1 load, ≤ ${LOAD_MS + 10} ms`, reached: most === 1 && last <= LOAD_MS + 10 }
        : {}),
    })
  }
  return rows
}

/** How long until an invalidation here has left another process's memory. */
export async function measureReach(url: string): Promise<readonly Row[]> {
  const child = startChild(url, 'memory')
  await nextMessage(child)
  const hf = await connect(url, { namespace: 'bench-fleet' })
  const cache = hf.cache<number>('reach', { ttl: '1h' })
  const times: number[] = []
  for (let round = 0; round < 200; round++) {
    await cache.set('one', round)
    const kept = nextMessage(child)
    child.send({ keep: round })
    await kept
    const gone = nextMessage<{ atMs: number }>(child)
    const start = performance.timeOrigin + performance.now()
    await cache.delete('one')
    times.push((await gone).atMs - start)
  }
  child.disconnect()
  await once(child, 'exit')
  await hf.close()
  const mid = median(times)
  return [
    {
      scenario: 'invalidation reaches another process',
      contender: 'holdfast delete → memory of another',
      figure: `median ${mid.toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
      target: '≤ 0.6 ms',
      reached: mid <= 0.6,
    },
  ]
}

/** A cold read while the server is frozen. */
export async function measureFrozen(): Promise<readonly Row[]> {
  const server = await startServer()
  const timeoutMs = 250
  const hf = await connect(server.url, { namespace: 'bench', timeout: timeoutMs })
  const cache = hf.cache<string>('frozen', {
    ttl: '1m',
    load: (id) => new Promise((resolve) => setTimeout(resolve, LOAD_MS, id)),
  })
  await cache.get('warm')
  await server.pause()
  const start = performance.now()
  await Promise.all(Array.from({ length: 50 }, (_, i) => cache.get(`cold-${i}`)))
  const firstMs = performance.now() - start
  const again = performance.now()
  await cache.get('cold-again')
  const laterMs = performance.now() - again
  await server.resume()
  await hf.close()
  await server.stop()
  const most = timeoutMs + LOAD_MS
  return [
    {
      scenario: `Redis frozen, deadline ${timeoutMs} ms, load ${LOAD_MS} ms`,
      contender: 'holdfast get, 50 callers, cold',
      figure: `${firstMs.toFixed(0)} ms, the next ${laterMs.toFixed(0)} ms`,
      target: `≤ ${most} ms (+ 30)`,
      reached: firstMs <= most + 30,
    },
  ]
}
