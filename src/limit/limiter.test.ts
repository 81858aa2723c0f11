import { describe, expect, it } from 'vitest'
import type { LimiterOptions } from '../index.ts'
import { Redis } from '../redis/redis.ts'
import { resolveSettings } from '../redis/settings.ts'
import { testNamespace } from '../testing/index.ts'
import { allowed, Gate, HOUR } from './gate.fixture.ts'
import { inspectLimit } from './inspect.ts'

const gate = new Gate()

describe('a turn', () => {
  it('tells what remains, of which limit, and when to come back', async () => {
    const api = await gate.limiter({ rules: [{ limit: 3, per: '1h', algorithm: 'fixed' }] })
    expect(await api.consume('ann')).toMatchObject({
      ...{ allowed: true, remaining: 2, limit: 3, retryAfterMs: 0, source: 'redis', blocked: false, rule: '1h' },
      rules: [{ name: '1h', algorithm: 'fixed', allowed: true, limit: 3, remaining: 2, perMs: 3_600_000 }],
    })
    await api.consume('ann', { cost: 2 })
    const refused = await api.consume('ann')
    expect(refused).toMatchObject({ allowed: false, remaining: 0, limit: 3 })
    expect(refused.retryAfterMs).toBeGreaterThan(3_590_000)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(3_600_000)
    expect(refused.resetMs).toBe(refused.retryAfterMs)
    expect(await allowed(api, 'bob')).toBe(true)
  })

  it('is of the rule that decides: the one that refuses the longest, or has the least left', async () => {
    const api = await gate.limiter({
      rules: [
        { limit: 100, per: '1s', algorithm: 'fixed' },
        { limit: 2, per: '1h', algorithm: 'fixed' },
        { limit: 2, per: '1d', algorithm: 'log', name: 'daily' },
      ],
    })
    expect(await api.consume('ann')).toMatchObject({ rule: '1h', remaining: 1 })
    await api.consume('ann')
    expect(await api.consume('ann')).toMatchObject({ allowed: false, rule: 'daily', limit: 2 })
  })

  it('that one rule refuses costs the others nothing', async () => {
    const api = await gate.limiter({
      rules: [
        { limit: 1, per: '1d', algorithm: 'log' },
        { limit: 100, per: '1h', algorithm: 'fixed' },
        { limit: 100, per: '1h' },
        { limit: 100, per: '1h', algorithm: 'concurrency' },
      ],
    })
    await api.consume('ann')
    const before = await gate.callsOf('hset')
    for (let i = 0; i < 50; i++) expect(await allowed(api, 'ann')).toBe(false)
    expect(await gate.callsOf('hset')).toBe(before)
    const { rules } = await api.peek('ann')
    expect(rules.slice(1).map(({ remaining }) => remaining)).toEqual([99, 99, 99])
  })

  it('of a refused cost says nothing of a lower one', async () => {
    const api = await gate.limiter({ rules: [HOUR] })
    await api.consume('ann', { cost: 9 })
    expect(await allowed(api, 'ann', 8)).toBe(false)
    expect(await allowed(api, 'ann', 1)).toBe(true)
  })

  it('of no cost counts nothing, and says whether there is a turn', async () => {
    const hf = await gate.connect()
    const api = hf.limiter('api', { rules: [HOUR, { limit: 1, algorithm: 'concurrency' }] })
    expect(await api.consume('ann', { cost: 0 })).toMatchObject({ allowed: true, remaining: 1 })
    expect(await gate.keys('*ann*')).toEqual([])
  })
})

describe('time', () => {
  it('makes room again within windows of less than a second, and leaves no key behind', async () => {
    for (const algorithm of ['gcra', 'bucket', 'fixed', 'sliding', 'log', 'concurrency'] as const) {
      const api = await gate.limiter({ rules: [{ limit: 2, per: 30, algorithm }] })
      const turns = [await api.consume(algorithm), await api.consume(algorithm)]
      expect(
        turns.some((turn) => turn.allowed),
        algorithm,
      ).toBe(true)
      await expect.poll(() => allowed(api, algorithm), { interval: 2 }).toBe(true)
      await expect.poll(() => gate.keys(`*${algorithm}*`)).toEqual([])
    }
  })

  it('of the server counts, whatever the clock of this process says', async () => {
    const api = await gate.limiter({ rules: [{ limit: 1, per: '1h', algorithm: 'sliding' }] })
    await api.consume('ann')
    const real = Date.now
    Date.now = () => real() + 86_400_000
    try {
      expect(await allowed(api, 'ann')).toBe(false)
    } finally {
      Date.now = real
    }
  })

  it('and numbers may be large', async () => {
    const api = await gate.limiter({
      rules: [
        { limit: 1e12, per: '7d' },
        { limit: 1e12, per: '7d', algorithm: 'fixed' },
        { limit: 1e12, per: '7d', algorithm: 'sliding' },
      ],
    })
    const most = await api.consume('ann', { cost: 1e12 - 1 })
    expect(most.rules.slice(1).map(({ remaining }) => remaining)).toEqual([1, 1])
    expect(await api.consume('ann', { cost: 3e11 })).toMatchObject({ allowed: false })
    const { rules } = await api.consume('ann', { cost: 1 })
    expect(rules.map((rule) => rule.allowed)).toEqual([true, true, true])
    expect(rules[1]?.remaining).toBe(0)
  })
})

describe('a refund', () => {
  it('gives back as much as still counts, and leaves no counter that lives for ever', async () => {
    const hf = await gate.connect()
    for (const algorithm of ['gcra', 'bucket', 'fixed', 'sliding', 'log'] as const) {
      const api = hf.limiter(algorithm, { rules: [{ limit: 10, per: '1h', algorithm }] })
      await api.refund('nobody', 5)
      await api.consume('ann', { cost: 4 })
      await api.refund('ann', 3)
      expect((await api.peek('ann')).remaining, algorithm).toBe(9)
      await api.refund('ann', 10)
      expect((await api.peek('ann')).remaining, algorithm).toBe(10)
    }
    expect(await gate.keys('*nobody*')).toEqual([])
    for (const key of await gate.keys('*ann*')) expect(await gate.server.command('PTTL', key)).toBeGreaterThan(0)
  })
})

describe('a block', () => {
  it('refuses for as long as it was told to, whatever is left, and ends by reset or by 0', async () => {
    const api = await gate.limiter({ rules: [HOUR] })
    await api.block('ann', '1h')
    const turn = await api.consume('ann')
    expect(turn).toMatchObject({ allowed: false, blocked: true, remaining: 0 })
    expect(turn.retryAfterMs).toBeGreaterThan(3_590_000)
    expect(await api.peek('ann')).toMatchObject({ blocked: true })
    await api.block('ann', 0)
    expect(await api.consume('ann')).toMatchObject({ allowed: true, remaining: 9 })
    for (const forget of [() => api.reset('ann'), () => api.clear()]) {
      await api.block('ann', '10m')
      await forget()
      expect(await api.consume('ann')).toMatchObject({ allowed: true, remaining: 9 })
    }
  })

  it('holds through a refund, for ids that were never seen, and for rules of another deployment', async () => {
    const namespace = testNamespace('limit')
    const api = (await gate.connect({ namespace })).limiter('api', { rules: [HOUR] })
    const other = (await gate.connect({ namespace })).limiter('api', { rules: [{ limit: 5, per: '1m' }] })
    await api.consume('ann', { cost: 10 })
    await api.block('ann', '1h')
    await api.block('bob', '1h')
    await api.refund('ann', 5)
    for (const id of ['ann', 'bob'])
      for (const one of [api, other]) expect(await one.consume(id)).toMatchObject({ allowed: false, blocked: true })
    await other.block('ann', 0)
    expect(await api.consume('ann')).toMatchObject({ allowed: true, remaining: 4 })
    await api.block('ann', '1h')
    expect(await api.consume('ann')).toMatchObject({ blocked: true })
  })

  it('can be looked at, with what is counted', async () => {
    const namespace = testNamespace('limit')
    const api = (await gate.connect({ namespace })).limiter('api', { rules: [HOUR] })
    await api.consume('ann', { cost: 7 })
    await api.block('ann', '1h')
    const redis = gate.closing(new Redis(resolveSettings(gate.server.url, { namespace })))
    const record = await inspectLimit(redis, 'api', 'ann')
    expect(record?.states.get('f3600000000')?.[1]).toBe(7)
    expect(record?.blockedUntilMs).toBeGreaterThan(Date.now())
    expect(await inspectLimit(redis, 'api', 'bob')).toBeUndefined()
  })
})

describe('permits', () => {
  it('are given back by release, once, and come back by themselves when nobody gives them back', async () => {
    const api = await gate.limiter({ rules: [{ limit: 2, per: 400, algorithm: 'concurrency' }] })
    const [first, second] = [await api.consume('ann'), await api.consume('ann')]
    expect([first.allowed, second.allowed, await allowed(api, 'ann')]).toEqual([true, true, false])
    await first.release()
    await first.release()
    const third = await api.consume('ann')
    expect([third.allowed, await allowed(api, 'ann')]).toEqual([true, false])
    await expect.poll(() => allowed(api, 'ann')).toBe(true)
    expect(await second.extend()).toBe(false)
    await second.release()
  })

  it('are kept by extend, and counted by weight', async () => {
    const api = await gate.limiter({ rules: [{ limit: 2_500, per: '1h', algorithm: 'concurrency' }] })
    const heavy = await api.consume('ann', { cost: 2_499 })
    expect(heavy.remaining).toBe(1)
    expect(await heavy.extend()).toBe(true)
    expect(await allowed(api, 'ann', 2)).toBe(false)
    await heavy[Symbol.asyncDispose]()
    expect(await allowed(api, 'ann', 2_500)).toBe(true)
    expect(await heavy.extend()).toBe(false)
  })

  it('that come when nobody waits for them any more are given back', async () => {
    const api = await gate.limiter({ rules: [{ limit: 1, per: '1h', algorithm: 'concurrency' }] })
    await api.peek('ann')
    const before = await gate.callsOf('zrem')
    const controller = new AbortController()
    const waiting = api.consume('ann', { signal: controller.signal })
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    await expect.poll(() => gate.callsOf('zrem')).toBe(before + 1)
    expect(await allowed(api, 'ann')).toBe(true)
  })

  it('of a turn that was refused, or without a rule that gives any, are nothing', async () => {
    const api = await gate.limiter({ rules: [HOUR] })
    const turn = await api.consume('ann')
    await turn.release()
    expect(await turn.extend()).toBe(true)
    expect((await api.peek('ann')).remaining).toBe(9)
  })
})

describe('limits that differ', () => {
  it('may be given with the call by the names of the rules, or by a function of the id', async () => {
    const hf = await gate.connect()
    const api = hf.limiter('api', {
      rules: [{ limit: (id) => (id === 'gold' ? 3 : 1), per: '1h', algorithm: 'fixed' }],
    })
    expect((await api.consume('gold')).remaining).toBe(2)
    expect((await api.consume('tin')).remaining).toBe(0)
    expect(await api.consume('tin', { limits: { '1h': 5 } })).toMatchObject({ allowed: true, remaining: 3, limit: 5 })
    expect((await api.consume('tin')).allowed).toBe(false)
  })

  it('in another deployment count on; another period or algorithm begins anew, and disturbs none', async () => {
    const namespace = testNamespace('limit')
    const old = (await gate.connect({ namespace })).limiter('api', { rules: [HOUR] })
    const raised = (await gate.connect({ namespace })).limiter('api', {
      rules: [
        { ...HOUR, limit: 20 },
        { limit: 5, per: '1m' },
      ],
    })
    await old.consume('ann', { cost: 10 })
    expect((await raised.consume('ann')).rules.map(({ remaining }) => remaining)).toEqual([9, 4])
    expect(await allowed(old, 'ann')).toBe(false)
  })

  it('keep two rules of one kind and period apart', async () => {
    const rules = [{ limit: 5, per: '1h', burst: 1 } as const, { limit: 10, per: '1h' } as const]
    const api = await gate.limiter({ rules })
    expect((await api.consume('ann')).rules.map(({ name, remaining }) => [name, remaining])).toEqual([
      ['1h', 0],
      ['1h#2', 9],
    ])
  })
})

describe('a limiter', () => {
  it('is the same instance by the same name and options, and a ConfigError by others', async () => {
    const hf = await gate.connect()
    const options = (): LimiterOptions => ({ rules: [{ limit: (id) => id.length, per: '1h' }] })
    expect(hf.limiter('api', options())).toBe(hf.limiter('api', options()))
    expect(hf.limiter('api2', { rules: [HOUR] })).toBe(hf.limiter('api2', { rules: [{ ...HOUR, per: 3_600_000 }] }))
    expect(() => hf.limiter('api', { rules: [HOUR] })).toThrow(/made first \(another `rules`\)/)
  })

  it('names what is wrong with its options', async () => {
    const hf = await gate.connect()
    const rule = (wrong: object) => () => hf.limiter('x', { rules: [{ limit: 1, per: '1s', ...wrong }] })
    const wrong: [() => unknown, string][] = [
      [() => hf.limiter('x', undefined as never), 'options'],
      [() => hf.limiter('x', { rules: [] }), 'rules'],
      [() => hf.limiter('x', { rules: [HOUR], whenDown: 'open' as never }), 'whenDown'],
      [() => hf.limiter('x', { rules: [HOUR], localShare: 0 }), 'localShare'],
      [() => hf.limiter('x', { rules: [HOUR], rememberRefusals: 1 as never }), 'rememberRefusals'],
      [() => hf.limiter('x', { rules: [HOUR], timeout: 'soon' as never }), 'timeout'],
      [() => hf.limiter('x', { rules: [HOUR], limit: 1 } as never), 'limit'],
      [rule({ limit: 0 }), 'rules[0].limit'],
      [rule({ limit: 1.5 }), 'rules[0].limit'],
      [rule({ limit: '5' }), 'rules[0].limit'],
      [rule({ limit: 10_001, algorithm: 'log' }), 'rules[0].limit'],
      [rule({ per: undefined }), 'rules[0].per'],
      [rule({ per: 0.2 }), 'rules[0].per'],
      [rule({ algorithm: 'leaky' }), 'rules[0].algorithm'],
      [rule({ burst: 2, algorithm: 'fixed' }), 'rules[0].burst'],
      [rule({ name: 'with space' }), 'rules[0].name'],
      [rule({ window: '1s' }), 'rules[0].window'],
      [
        () =>
          hf.limiter('x', {
            rules: [
              { ...HOUR, name: 'a' },
              { ...HOUR, name: 'a' },
            ],
          }),
        'rules[1].name',
      ],
    ]
    for (const [call, option] of wrong)
      expect(call, option).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })

  it('refuses a cost that its rules can never admit, fractions, and ids that are none', async () => {
    const api = await gate.limiter({ rules: [HOUR, { limit: 5, per: '1m', burst: 2 }] })
    const wrong: [Promise<unknown>, string][] = [
      [api.consume('ann', { cost: 3 }), 'cost'],
      [api.consume('ann', { cost: 0.5 }), 'cost'],
      [api.consume('ann', { cost: -1 }), 'cost'],
      [api.consume('ann', { cost: '1' as never }), 'cost'],
      [api.consume('ann', { price: 1 } as never), 'options.price'],
      [api.consume(undefined as never), 'id'],
      [api.consume('x'.repeat(513)), 'id'],
      [api.consume('ann', { limits: { hourly: 5 } }), 'limits.hourly'],
      [api.consume('ann', { limits: { '1h': 0 } }), 'limits.1h'],
      [api.refund('ann', 0.5), 'cost'],
      [api.block('ann', -1), 'duration'],
    ]
    for (const [call, option] of wrong)
      await expect(call, option).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
    const error = await api.consume('ann', { cost: 3 }).catch((thrown: Error) => thrown.message)
    expect(error).toBe("cost: expected at most 2, which rule '1m' admits at once, received 3")
  })

  it('stops waiting with the reason of its signal', async () => {
    const api = await gate.limiter({ rules: [HOUR] })
    const reason = new Error('gone')
    await expect(api.consume('ann', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect((await api.peek('ann')).remaining).toBe(10)
  })
})
