import fc from 'fast-check'
import { connect, type Holdfast } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { monotonicMs, sleep } from '../base/clock.ts'
import { Redis } from '../redis/redis.ts'
import { resolveSettings } from '../redis/settings.ts'
import type { BreakerChange } from './breaker.ts'
import { Circuit } from './circuit.ts'
import { FleetCircuit } from './fleet.ts'
import { resolveBreakerOptions } from './options.ts'

let server: TestServer
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  server = await startServer()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})
afterAll(() => server.stop())

async function make(namespace = testNamespace('breaker')): Promise<Holdfast> {
  const hf = await connect(server.url, { namespace, timeout: '10s' })
  open.push(hf)
  return hf
}
/** A call that ends when it is told how. */
function hanging<T>() {
  let resolve: (answer: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((...both) => {
    ;[resolve, reject] = both
  })
  return { promise, resolve, reject }
}
const boom = () => Promise.reject(new Error('boom'))

describe('a breaker of one process', () => {
  let breaker: Holdfast['breaker']
  beforeEach(async () => {
    // Needs no server: nothing of it is asked.
    const hf = await connect('redis://127.0.0.1:1', { lazy: true })
    open.push(hf)
    breaker = hf.breaker.bind(hf)
  })

  it('passes answers and errors through, and refuses after five failures in a row', async () => {
    const payments = breaker('payments')
    const changes: BreakerChange[] = []
    payments.onChange((change) => changes.push(change))
    expect(await payments.run(() => 1)).toBe(1)
    for (let i = 0; i < 5; i++) await expect(payments.run(boom)).rejects.toThrow('boom')
    const error = await payments.run(() => expect.unreachable()).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'BreakerOpenError', code: 'BREAKER_OPEN', retryable: true })
    expect(error.retryAfterMs).toBeGreaterThan(9_000)
    expect(payments.stats).toEqual({ state: 'open', succeeded: 1, failed: 5, slow: 0, refused: 1, opened: 1 })
    await payments.reset()
    expect(await payments.run(async ({ signal }) => signal)).toBeUndefined()
    expect(changes).toEqual([
      { breaker: 'payments', from: 'closed', to: 'open', cause: 'failures' },
      { breaker: 'payments', from: 'open', to: 'closed', cause: 'reset' },
    ])
  })

  it('answers by the fallback what was refused and what failed, and tells it why', async () => {
    const payments = breaker('payments', { failures: 1 })
    const tell = (error: unknown) => (error as Error).message
    expect(await payments.run(boom, { fallback: tell })).toBe('boom')
    expect(await payments.run(() => 'up', { fallback: tell })).toMatch(/^breaker 'payments': open/)
  })

  it('counts no error that says nothing of what was called', async () => {
    const isFailure = (error: unknown) => (error as Error).message !== 'not found'
    const payments = breaker('payments', { failures: 1, isFailure })
    const fallback = () => expect.unreachable()
    await expect(payments.run(() => Promise.reject(new Error('not found')), { fallback })).rejects.toThrow('not found')
    expect(await payments.state()).toBe('closed')
    const leaving = new AbortController()
    const left = payments.run(() => new Promise(() => {}), { signal: leaving.signal })
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    expect(await payments.state()).toBe('closed')
    const late = payments.run(() => new Promise(() => {}), { signal: AbortSignal.timeout(1) })
    await expect(late).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(await payments.state()).toBe('open')
    // Whoever cannot tell tells nothing: it counts as a failure, and the error is the one of the call.
    const judge = breaker('judge', { failures: 1, isFailure: () => expect.unreachable() })
    await expect(judge.run(boom)).rejects.toThrow('boom')
    expect(await judge.state()).toBe('open')
  })

  it('is one by its name and options, and refuses options that make no sense', async () => {
    await expect(breaker('zero').run(undefined as never)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      option: 'work',
    })
    expect(breaker('zero').stats.failed).toBe(0)
    expect(breaker('one', { failures: 2 })).toBe(breaker('one', { failures: 2, cooldown: '10s' }))
    for (const [option, options] of [
      ['options', ['one', { failures: 3 }]],
      ['failures', ['two', { failures: 0 }]],
      ['failureRate', ['two', { failureRate: 0 }]],
      ['slowCalls.rate', ['two', { slowCalls: { over: '1s', rate: 2 } }]],
      ['cooldown', ['two', { cooldown: 'soon' as never }]],
      ['shared.timout', ['two', { shared: { timout: 1 } as never }]],
      ['cooldwn', ['two', { cooldwn: 1 } as never]],
    ] as const)
      expect(() => breaker(options[0], options[1])).toThrow(expect.objectContaining({ option }))
    await expect(breaker('wrong').run(5 as never)).rejects.toMatchObject({ option: 'work' })
    await expect(breaker('wrong').run(() => 1, { signal: {} as never })).rejects.toMatchObject({ option: 'signal' })
    expect(() => breaker('wrong').onChange({} as never)).toThrow(expect.objectContaining({ option: 'listener' }))
  })
})

describe('a shared breaker', () => {
  it('acts for its process while Redis is frozen, from where the fleet stood, and follows the fleet again after it', async () => {
    const [a, b] = [await make('fleet'), await make('fleet')].map((hf) =>
      hf.breaker('payments', { failures: 2, cooldown: '1h', shared: true }),
    ) as [ReturnType<Holdfast['breaker']>, ReturnType<Holdfast['breaker']>]
    await b.trip()
    await expect.poll(() => a.state()).toBe('open')
    await server.pause()
    try {
      // What was known stays, and no call waits for a server that is away for longer than the bound.
      await expect(a.run(() => 1)).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
      await a.reset()
      expect(await a.run(() => 1)).toBe(1)
      for (let i = 0; i < 2; i++) await expect(a.run(boom)).rejects.toThrow('boom')
      await expect(a.run(() => 1)).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    } finally {
      await server.resume()
    }
    // What could not be told when it was asked for reached the server late, as everything that was sent.
    await b.reset()
    await expect.poll(() => a.run(() => 1, { fallback: () => 0 }), { timeout: 5_000 }).toBe(1)
  })

  it('asks nobody on for a caller who left while Redis was waited for, and blames nothing that was not called', async () => {
    const hf = await make()
    const payments = hf.breaker('payments', { failures: 1, cooldown: '1h', shared: { timeout: '5s' } })
    await payments.trip(1)
    await expect.poll(() => payments.state(), { interval: 2 }).toBe('half-open')
    await server.pause()
    try {
      const signal = AbortSignal.timeout(20)
      await expect(payments.run(() => expect.unreachable(), { signal })).rejects.toThrow(signal.reason)
      expect(payments.stats).toMatchObject({ state: 'half-open', failed: 0 })
    } finally {
      await server.resume()
    }
    // The trial that he was given in the end is given back.
    await expect.poll(() => payments.run(() => 1, { fallback: () => 0 })).toBe(1)
  })

  it('acts for its process on a full server, and a trial that is under way can still end', async () => {
    const hf = await make()
    const payments = hf.breaker('payments', { failures: 1, cooldown: '1h', shared: true })
    await payments.trip(1)
    await expect.poll(() => payments.state(), { interval: 2 }).toBe('half-open')
    await payments.run(() => server.command('CONFIG', 'SET', 'maxmemory', '1'))
    try {
      expect(await payments.state()).toBe('closed')
      await expect(payments.run(boom)).rejects.toThrow('boom')
      expect(payments.stats.state).toBe('open')
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory', '0')
    }
  })

  it('decides as one of a process does, whatever is reported, tried and set', async () => {
    const redis = new Redis(resolveSettings(server.url, { namespace: testNamespace('breaker'), timeout: '10s' }))
    open.push(redis)
    let runs = 0
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('ok' as const, 'failed' as const, 'slow' as const, 'left' as const) },
      { weight: 1, arbitrary: fc.constantFrom('trip' as const, 'half' as const, 'reset' as const) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          { failures: 2 },
          { failureRate: 0.5, minCalls: 4 },
          { slowCalls: { over: 1, rate: 0.4 }, minCalls: 3 },
        ),
        fc.array(step, { minLength: 8, maxLength: 25 }),
        async (given, steps) => {
          const rules = resolveBreakerOptions({ ...given, window: '1h', cooldown: '1h', shared: { timeout: '10s' } })
          const alone = new Circuit(rules, () => 0)
          const followed = new Circuit(rules, monotonicMs)
          const fleet = new FleetCircuit(redis, `model ${runs++}`, followed, rules)
          for (const step of steps) {
            if (step === 'trip' || step === 'half') {
              // Half-open is open for no time.
              alone.open(step === 'half' ? 0 : 1, 'trip')
              await fleet.set(step === 'half' ? 1 : 3_600_000)
              if (step === 'half') await expect.poll(() => fleet.look().then(() => followed.state)).toBe('half-open')
            } else if (step === 'reset') {
              alone.close('reset')
              await fleet.set(0)
            } else {
              const [one, other] = [alone.admit(), await fleet.admit()]
              expect(other.admitted).toBe(one.admitted)
              if (!one.admitted || !other.admitted) continue
              const verdict = step === 'slow' ? 'ok' : step
              alone.end(one.ticket, verdict, step === 'slow')
              await fleet.end(other.ticket, verdict, step === 'slow')
            }
            await fleet.look()
            expect(followed.state).toBe(alone.state)
          }
        },
      ),
      { numRuns: 15 },
    )
  })

  it('stays open for as long as it was tripped, and hears nobody who was admitted before the server forgot it', async () => {
    const [payments, other] = [await make('kept'), await make('kept')].map((hf) =>
      hf.breaker('payments', { failures: 1, shared: { timeout: '10s' } }),
    ) as [ReturnType<Holdfast['breaker']>, ReturnType<Holdfast['breaker']>]
    await payments.trip('30d')
    expect(await server.command('PTTL', '{kept:breaker:payments}')).toBeGreaterThan(30 * 86_400_000)
    await payments.reset()
    const hangs = hanging<never>()
    const old = payments.run(() => hangs.promise, { fallback: () => 'late' })
    await server.command('DEL', '{kept:breaker:payments}')
    await other.trip()
    await other.reset()
    expect(await payments.state()).toBe('closed')
    hangs.reject(new Error('of long ago'))
    expect(await old).toBe('late')
    expect([await payments.state(), await other.state()]).toEqual(['closed', 'closed'])
  })

  it('that was open when Redis went away tries alone meanwhile, and is closed by one trial of the fleet after it', async () => {
    const options = { failures: 1, cooldown: 20, shared: { timeout: 100 } } as const
    const fleet = [await make('away'), await make('away')].map((hf) => hf.breaker('payments', options))
    const [a, b] = fleet as [ReturnType<Holdfast['breaker']>, ReturnType<Holdfast['breaker']>]
    await a.trip('10m')
    expect(await b.state()).toBe('open')
    await server.pause()
    try {
      // Nobody calls what the fleet knew to be down; its cooldown is over for this process alone.
      await expect(b.run(() => expect.unreachable())).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
      await a.trip(1)
      await expect.poll(() => a.run(() => 'up', { fallback: () => 'none' }), { interval: 5 }).toBe('up')
      expect(a.stats.state).toBe('closed')
    } finally {
      await server.resume()
    }
    // What was sent to the frozen server is carried out late: the fleet is half-open, and whoever comes first tries.
    for (const one of fleet)
      await expect.poll(() => one.run(() => 'up', { fallback: () => 'none' }), { timeout: 5_000 }).toBe('up')
    await expect.poll(() => Promise.all([a.state(), b.state()]), { timeout: 5_000 }).toEqual(['closed', 'closed'])
  })

  it('of processes with other options is tried by one at a time, and closes for all of them', async () => {
    const hfs = [await make('mixed'), await make('mixed')]
    const [quick, slow] = [
      hfs[0]?.breaker('payments', { failures: 1, cooldown: '10m', shared: { timeout: '10s' } }),
      hfs[1]?.breaker('payments', {
        failureRate: 0.5,
        minCalls: 2,
        window: '1m',
        cooldown: '1h',
        shared: { timeout: '10s' },
      }),
    ] as [ReturnType<Holdfast['breaker']>, ReturnType<Holdfast['breaker']>]
    for (const [one, other] of [
      [quick, slow],
      [slow, quick],
    ] as const) {
      while ((await one.state()) === 'closed') await one.run(boom, { fallback: () => 0 })
      expect(await other.state()).toBe('open')
      await other.trip(1)
      const hangs = hanging<string>()
      let tries = 0
      const trial = () => {
        tries++
        return hangs.promise
      }
      const tried = () => one.run(trial, { fallback: () => 'none' })
      const calls = [tried()]
      await expect.poll(() => (tries === 0 ? calls.push(tried()) : 0), { interval: 5 }).toBe(0)
      expect(await other.run(() => expect.unreachable(), { fallback: () => 'none' })).toBe('none')
      expect(await one.run(() => expect.unreachable(), { fallback: () => 'none' })).toBe('none')
      hangs.resolve('up')
      expect(await Promise.all(calls)).toContain('up')
      expect([await quick.state(), await slow.state()]).toEqual(['closed', 'closed'])
    }
  })

  it('forgets what its window has passed', async () => {
    const hf = await make()
    const options = { failureRate: 0.5, minCalls: 2, window: 10, shared: { timeout: '10s' } } as const
    const payments = hf.breaker('payments', options)
    for (let i = 0; i < 4; i++) {
      await expect(payments.run(boom)).rejects.toThrow('boom')
      expect(await payments.state()).toBe('closed')
      // The time itself is what is waited for: more of it does no harm.
      await sleep(12)
    }
  })

  it('in a loader lets a cache serve what is stale, and calls nothing', async () => {
    const hf = await make()
    const database = hf.breaker('database', { failures: 1 })
    let calls = 0
    const products = hf.cache<number>('product', {
      ttl: 1,
      expiry: { stale: '1m' },
      load: (_, { signal }) => database.run(() => ++calls, { signal }),
    })
    expect(await products.get('42')).toBe(1)
    await database.trip()
    for (let i = 0; i < 3; i++) expect(await products.get('42')).toBe(1)
    await expect(products.get('43')).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    expect(calls).toBe(1)
  })
})
