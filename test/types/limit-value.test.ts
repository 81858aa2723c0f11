// What a user's compiler takes and refuses. The lines below `@ts-expect-error` are compiled by `npm run types`, never run.
import { type Holdfast, type Limiter, rateLimitHeaders, type Turn, type Value } from 'holdfast'
import { expectTypeOf, test } from 'vitest'

declare const hf: Holdfast

test('a value is of one type, and so is its log', () => {
  const calls = () => {
    const stock = hf.value<number, { action: string }>('stock', { ttl: '1h', keepLog: 10 })
    expectTypeOf(stock).toEqualTypeOf<Value<number, { action: string }>>()
    expectTypeOf(stock.get()).resolves.toEqualTypeOf<number | undefined>()
    expectTypeOf(stock.update((n) => (n ?? 100) - 1, { retries: 10 })).resolves.toEqualTypeOf<number>()
    expectTypeOf(stock.update(async (n) => n)).resolves.toEqualTypeOf<number | undefined>()
    // @ts-expect-error a number
    stock.set('7')
    // @ts-expect-error a number, or undefined
    stock.update(() => 'seven')
    // @ts-expect-error not of the log's type
    stock.update(() => 1, { log: () => 'sold' })
    // @ts-expect-error the option is called retries
    stock.update(() => 1, { tries: 1 })
  }
  expectTypeOf(calls).toBeFunction()
})

test('a limiter takes rules, and gives turns', () => {
  const calls = async () => {
    const api = hf.limiter('api', {
      rules: [
        { limit: 10, per: '1s' },
        { limit: (id) => id.length, per: '1h', algorithm: 'fixed', name: 'hourly' },
      ],
      whenDown: 'local',
    })
    expectTypeOf(api).toEqualTypeOf<Limiter>()
    await using turn = await api.consume('ann', { cost: 2, limits: { hourly: 5 } })
    expectTypeOf(turn).toEqualTypeOf<Turn>()
    expectTypeOf(turn.remaining).toEqualTypeOf<number>()
    expectTypeOf(rateLimitHeaders(turn, { version: 'draft-6' })).toEqualTypeOf<Readonly<Record<string, string>>>()
    // @ts-expect-error no such algorithm
    hf.limiter('x', { rules: [{ limit: 1, per: '1s', algorithm: 'leaky' }] })
    // @ts-expect-error rules are a must
    hf.limiter('x', { whenDown: 'allow' })
    // @ts-expect-error open is allow here
    hf.limiter('x', { rules: [], whenDown: 'open' })
  }
  expectTypeOf(calls).toBeFunction()
})
