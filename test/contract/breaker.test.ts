import type { Breaker, BreakerOptions, Holdfast } from 'holdfast'
import { beforeEach, expect, it } from 'vitest'
import { inspectBreaker } from '../../src/breaker/inspect.ts'
import { Holdfast as Instance } from '../../src/holdfast.ts'
import { Place } from './place.ts'

const place = new Place({ breakers: true })
let fleet: readonly Holdfast[]

beforeEach(async () => {
  fleet = await Promise.all([place.connect(), place.connect(), place.connect()])
})

// The machine may have much to do: Redis is waited for, where in earnest the process would decide alone.
const of = (name: string, options: BreakerOptions = {}): readonly Breaker[] =>
  fleet.map((hf) => hf.breaker(name, { failures: 3, cooldown: '1h', shared: { timeout: '10s' }, ...options }))
const seen = (name: string) => inspectBreaker(Instance.redisOf(fleet[2] as Holdfast), name)
const boom = () => Promise.reject(new Error('boom'))
const failOn = (breaker: Breaker | undefined) => expect(breaker?.run(boom)).rejects.toThrow('boom')

it('opens for the fleet by the failures of all its processes, and closes for all', async () => {
  const [a, b, c] = of('payments') as [Breaker, Breaker, Breaker]
  await failOn(a)
  await failOn(b)
  expect(await c.run(() => 1)).toBe(1)
  // A success between them is told by the next look, and then they are no longer in a row.
  expect(await c.state()).toBe('closed')
  await failOn(a)
  await failOn(b)
  expect(await c.state()).toBe('closed')
  expect(await seen('payments')).toMatchObject({ state: 'closed', row: 2, openForMs: 0 })
  await failOn(c)
  expect((await seen('payments')).openForMs).toBeGreaterThan(3_500_000)
  expect(await Promise.all([a, b, c].map((one) => one.state()))).toEqual(['open', 'open', 'open'])
  for (const one of [a, b, c]) {
    const refused = one.run(() => expect.unreachable())
    await expect(refused).rejects.toMatchObject({ code: 'BREAKER_OPEN', breaker: 'payments', retryable: true })
    expect(await one.run(() => 1, { fallback: () => 2 })).toBe(2)
  }
  await b.reset()
  expect(await Promise.all([a, b, c].map((one) => one.state()))).toEqual(['closed', 'closed', 'closed'])
  expect(await place.command<number>('PTTL', `{${place.namespace}:breaker:payments}`)).toBeGreaterThan(3_600_000)
})

it('lets one caller of the whole fleet try when the cooldown is over, and opens or closes by how that ends', async () => {
  // A trial has its place for a cooldown: longer than the test.
  const all = of('one trial', { cooldown: '1h' })
  for (const fails of [true, false]) {
    await all[0]?.trip(1)
    await expect.poll(() => all[1]?.state(), { interval: 5 }).toBe('half-open')
    let tries = 0
    let end = () => {}
    const gate = new Promise<void>((resolve) => {
      end = resolve
    })
    const calls = all.flatMap((one) =>
      Array.from({ length: 5 }, () =>
        one.run(
          async () => {
            tries++
            await gate
            if (fails) throw new Error('still down')
            return 'up'
          },
          { fallback: (error) => (error as { code?: string }).code ?? 'failed' },
        ),
      ),
    )
    await expect.poll(() => tries).toBe(1)
    end()
    const answers = await Promise.all(calls)
    expect(answers.filter((answer) => answer === (fails ? 'failed' : 'up'))).toHaveLength(1)
    expect(answers.filter((answer) => answer === 'BREAKER_OPEN')).toHaveLength(14)
    expect(await all[2]?.state()).toBe(fails ? 'open' : 'closed')
  }
})

it('gives the place of a trial that does not end to another caller of the fleet', async () => {
  const [a, b, c] = of('abandoned', { cooldown: 30 }) as [Breaker, Breaker, Breaker]
  await a.trip(1)
  let end = () => {}
  const hangs = new Promise<void>((resolve) => {
    end = resolve
  })
  let began = false
  const trial = () =>
    a.run(
      () => {
        began = true
        return hangs.then(() => Promise.reject(new Error('too late')))
      },
      { fallback: () => 'none' },
    )
  const first: Promise<unknown>[] = []
  const tried = () => {
    first.push(trial())
    return began
  }
  await expect.poll(tried, { interval: 5 }).toBe(true)
  await expect.poll(() => b.run(() => 'up', { fallback: () => 'none' }), { interval: 5 }).toBe('up')
  end()
  await Promise.all(first)
  expect(await Promise.all([a, b, c].map((one) => one.state()))).toEqual(['closed', 'closed', 'closed'])
})

it('opens by the share of a window that failed or was slow, wherever the calls were made', async () => {
  const rate = of('rate', { failures: 100, failureRate: 0.5, minCalls: 6, window: '1h' })
  for (const one of rate) await one.run(() => 1)
  await Promise.all(rate.map((one) => one.state()))
  await failOn(rate[0])
  await failOn(rate[1])
  expect(await rate[2]?.state()).toBe('closed')
  await failOn(rate[2])
  expect(await rate[0]?.state()).toBe('open')
  const slow = of('slow', { failures: 100, slowCalls: { over: 1, rate: 1 }, minCalls: 3, window: '1h' })
  const take = () => new Promise((resolve) => setTimeout(resolve, 4))
  for (const one of slow) await one.run(take)
  expect(await slow[0]?.state()).toBe('open')
})

it('takes any name, and keeps them apart', async () => {
  const names = ['', ' ', '{', '}', 'a:b', 'a', '*', '\n', '%7B', 'Ünal 🎭', 'x'.repeat(512)]
  for (const name of names) await of(name)[0]?.trip()
  await of('a')[1]?.reset()
  for (const name of names) expect(await of(name)[2]?.state()).toBe(name === 'a' ? 'closed' : 'open')
})
