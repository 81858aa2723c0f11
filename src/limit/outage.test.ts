import { describe, expect, it } from 'vitest'
import { startProxy, startServer } from '../testing/index.ts'
import { allowed, Gate, HOUR } from './gate.fixture.ts'

const gate = new Gate()

describe('remembered refusals', () => {
  const options = { rules: [HOUR], rememberRefusals: true }

  it('answer without a round trip, for a cost at least as high, until they may end', async () => {
    const api = await gate.limiter(options)
    await api.consume('ann', { cost: 9 })
    expect(await api.consume('ann', { cost: 5 })).toMatchObject({ allowed: false, source: 'redis' })
    const before = await gate.callsOf('evalsha')
    const turn = await api.consume('ann', { cost: 6 })
    expect(turn).toMatchObject({ allowed: false, source: 'memory', remaining: 1, limit: 10 })
    expect(turn.retryAfterMs).toBeGreaterThan(3_500_000)
    expect(await gate.callsOf('evalsha')).toBe(before)
    expect(await api.consume('ann', { cost: 1 })).toMatchObject({ allowed: true, source: 'redis' })
    expect(await api.consume('bob', { cost: 6 })).toMatchObject({ allowed: true })
    expect(api.stats).toMatchObject({ allowed: 3, refused: 2, remembered: 1 })
  })

  it('end with a refund, a reset and a block of this process', async () => {
    const api = await gate.limiter(options)
    for (const undo of [() => api.refund('ann', 10), () => api.reset('ann')]) {
      await api.consume('ann', { cost: 10 })
      expect((await api.consume('ann')).source).toBe('redis')
      expect((await api.consume('ann')).source).toBe('memory')
      await undo()
      expect((await api.consume('ann', { cost: 1 })).allowed).toBe(true)
      await api.reset('ann')
    }
  })

  it('are never of permits, nor of limits that came with the call, and end in time', async () => {
    const api = await gate.limiter({
      rules: [{ limit: 1, per: '1h', algorithm: 'concurrency' }],
      rememberRefusals: true,
    })
    const turn = await api.consume('ann')
    for (let i = 0; i < 3; i++) expect(await api.consume('ann')).toMatchObject({ allowed: false, source: 'redis' })
    await turn.release()
    expect(await allowed(api, 'ann')).toBe(true)

    const hourly = await gate.limiter(options)
    await hourly.consume('ann', { cost: 10 })
    await hourly.consume('ann')
    expect(await hourly.consume('ann', { limits: { '1h': 11 } })).toMatchObject({ allowed: true, source: 'redis' })

    const quick = await gate.limiter({ rules: [{ limit: 1, per: 60 }], rememberRefusals: true })
    await quick.consume('ann')
    await expect.poll(() => allowed(quick, 'ann'), { interval: 1 }).toBe(true)
  })
})

it('a remembered refusal is never one where Redis would have admitted', async () => {
  for (const algorithm of ['gcra', 'bucket', 'fixed', 'sliding', 'log'] as const) {
    const api = await gate.limiter({ rules: [{ limit: 5, per: 60, algorithm }], rememberRefusals: true })
    for (let i = 0; api.stats.remembered < 20 || api.stats.allowed < 20; i++) {
      const cost = 1 + (i % 3)
      // What is admitted now will be admitted a moment later, for nobody else takes any.
      const before = await api.peek('ann', { cost })
      const turn = await api.consume('ann', { cost })
      if (before.allowed) expect([algorithm, turn.allowed, turn.source]).toEqual([algorithm, true, 'redis'])
    }
  }
})

describe('while Redis cannot be asked', () => {
  it('the error says whether the call was sent, and it is not sent twice', async () => {
    const proxy = await startProxy({ target: gate.server })
    const hf = await gate.connect({ timeout: 400 }, proxy.url)
    const api = hf.limiter('api', { rules: [HOUR] })
    await api.consume('ann')
    proxy.dropReplies()
    await expect(api.consume('ann')).rejects.toMatchObject({ code: 'TIMEOUT', sent: true })
    await proxy.heal()
    await expect.poll(async () => (await api.peek('ann')).remaining).toBe(8)
    proxy.dropReplies()
    const cut = api.consume('ann')
    await expect
      .poll(async () => (await (await gate.connect()).limiter('x', { rules: [HOUR] }).peek('y')).remaining)
      .toBe(10)
    proxy.cut()
    await expect(cut).rejects.toMatchObject({ sent: true })
    await proxy.heal()
    await expect.poll(async () => (await api.peek('ann')).remaining).toBe(7)
    await proxy.close()
  })

  it.each(['allow', 'deny', 'local'] as const)('whenDown %s answers within the deadline', async (whenDown) => {
    const frozen = await startServer()
    const hf = await gate.connect({ timeout: 400 }, frozen.url)
    const rules = [
      { limit: 4, per: '1h', algorithm: 'fixed' } as const,
      { limit: 40, per: '1h', algorithm: 'log' } as const,
    ]
    const api = hf.limiter('api', { rules, whenDown, localShare: 0.5 })
    const strict = hf.limiter('strict', { rules })
    await api.consume('ann')
    await frozen.pause()
    try {
      const turns = await Promise.all(Array.from({ length: 6 }, () => api.consume('ann')))
      const count = turns.filter((turn) => turn.allowed).length
      expect(count).toBe({ allow: 6, deny: 0, local: 2 }[whenDown])
      expect(turns[5]?.source).toBe(whenDown === 'local' ? 'local' : 'down')
      if (whenDown !== 'allow') expect(turns[5]?.retryAfterMs).toBeGreaterThan(0)
      await expect(strict.consume('ann')).rejects.toMatchObject({
        code: expect.stringMatching(/TIMEOUT|CONNECTION_LOST/),
      })
      expect(api.stats.withoutRedis).toBe(6)
    } finally {
      await frozen.resume()
    }
    await expect.poll(async () => (await api.consume('bob')).source).toBe('redis')
    await frozen.stop()
  })

  it('the limiter of this process knows every algorithm, shares, and permits', async () => {
    const gone = await startServer()
    const hf = await gate.connect({ timeout: 200 }, gone.url)
    await gone.stop()
    for (const algorithm of ['gcra', 'bucket', 'fixed', 'sliding', 'log', 'concurrency'] as const) {
      const api = hf.limiter(algorithm, {
        rules: [{ limit: 9, per: 600_000, algorithm }],
        whenDown: 'local',
        localShare: 0.34,
      })
      const turns = []
      for (let i = 0; i < 5; i++) turns.push(await api.consume('ann'))
      expect(turns.map((turn) => turn.allowed)).toEqual([true, true, true, false, false])
      expect(turns[3]).toMatchObject({ limit: 3, remaining: 0, source: 'local' })
      expect(turns[3]?.retryAfterMs).toBeGreaterThan(0)
      expect((await api.consume('bob', { cost: 3 })).allowed).toBe(true)
      await turns[0]?.release()
      expect(await allowed(api, 'ann')).toBe(algorithm === 'concurrency')
    }
  })

  it('a full server is such a case too, but what only looks or gives back still works', async () => {
    const hf = await gate.connect()
    const rules = [
      HOUR,
      { limit: 3, algorithm: 'concurrency' } as const,
      { limit: 9, per: '1h', algorithm: 'log' } as const,
    ]
    const strict = hf.limiter('strict', { rules })
    const lax = hf.limiter('lax', { rules, whenDown: 'allow' })
    const turn = await strict.consume('ann')
    await gate.server.command('CONFIG', 'SET', 'maxmemory', '1mb')
    try {
      await expect(strict.consume('ann')).rejects.toMatchObject({ code: 'SERVER_FULL' })
      expect(await lax.consume('ann')).toMatchObject({ allowed: true, source: 'down' })
      expect(await strict.peek('ann')).toMatchObject({ allowed: true, remaining: 2 })
      expect(await turn.extend()).toBe(true)
      await turn.release()
      await strict.refund('ann')
      await strict.block('ann', 0)
      expect(await strict.peek('ann')).toMatchObject({ remaining: 3 })
      await strict.reset('ann')
    } finally {
      await gate.server.command('CONFIG', 'SET', 'maxmemory', '0')
    }
  })

  it('a server that came back empty, or forgot its scripts, counts from nothing', async () => {
    const api = await gate.limiter({ rules: [HOUR, { limit: 20, per: '1m', algorithm: 'log' }] })
    await api.consume('ann', { cost: 10 })
    await gate.server.command('SCRIPT', 'FLUSH')
    expect(await allowed(api, 'ann')).toBe(false)
    await gate.server.command('FLUSHALL')
    await gate.server.command('SCRIPT', 'FLUSH')
    expect(await api.consume('ann')).toMatchObject({ allowed: true, remaining: 9 })
  })
})
