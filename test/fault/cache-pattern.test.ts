import { connect } from 'holdfast'
import { startServer, testNamespace } from 'holdfast/testing'
import { describe, expect, it } from 'vitest'

const COUNT = 200_000

describe('invalidatePattern', () => {
  it('removes 200,000 of 300,000 keys while no other command waits over 50 ms', async () => {
    await using server = await startServer({
      // The witness: whatever held the server for 50 ms is in the log.
      config: { 'slowlog-log-slower-than': 50_000, 'latency-monitor-threshold': 50 },
    })
    const namespace = testNamespace('pattern')
    const [working, other] = await Promise.all([connect(server.url, { namespace }), connect(server.url, { namespace })])
    const cache = working.cache('it', { ttl: '1h' })
    const beside = other.cache('it', { ttl: '1h' })
    await cache.set('user:0', { name: 'x'.repeat(50) })
    const frame = await server.command<string>('GET', `{${namespace}:cache:it:user:0}`)
    for (let from = 0; from < COUNT; from += 5_000) {
      const pairs: string[] = []
      for (let i = from; i < from + 5_000; i++) pairs.push(`{${namespace}:cache:it:user:${i}}`, frame)
      await server.command('MSET', ...pairs)
    }
    for (let from = 0; from < 100_000; from += 5_000) {
      const pairs: string[] = []
      for (let i = from; i < from + 5_000; i++) pairs.push(`foreign:${i}`, 'x')
      await server.command('MSET', ...pairs)
    }
    await beside.set('kept', 1)
    await server.command('SLOWLOG', 'RESET')
    await server.command('LATENCY', 'RESET')

    let done = false
    const waits: number[] = []
    const witness = (async () => {
      while (!done) {
        const startMs = performance.now()
        expect(await beside.get('kept', () => 0)).toBe(1)
        waits.push(performance.now() - startMs)
        await new Promise(setImmediate)
      }
    })()
    const removed = await cache.invalidatePattern('user:*')
    done = true
    await witness

    expect(removed).toBe(COUNT)
    expect(await server.command('DBSIZE')).toBe(100_001)
    expect(await server.command('SLOWLOG', 'GET', 10)).toEqual([])
    expect(await server.command('LATENCY', 'LATEST')).toEqual([])
    waits.sort((a, b) => a - b)
    const [p50, p99, longest] = [0.5, 0.99, 1].map(
      (q) => waits[Math.min(waits.length - 1, Math.floor(q * waits.length))],
    )
    console.info(
      `another client's gets meanwhile: ${waits.length}, p50 ${p50?.toFixed(1)}, p99 ${p99?.toFixed(1)}, longest ${longest?.toFixed(1)} ms`,
    )
    await Promise.all([working.close(), other.close()])
  })
})
