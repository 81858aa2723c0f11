// What a user's compiler takes and refuses. The lines below `@ts-expect-error` are compiled by `npm run types`, never run.
import { type Holdfast, ipKey, type Limiter, rateLimitHeaders, type Turn, type Value } from 'holdfast'
import { expectTypeOf, test } from 'vitest'

declare const hf: Holdfast
// Types alone, so that no framework is loaded: nothing below is run.
declare const express: typeof import('express')
declare const fastify: typeof import('fastify')['default']
declare const Hono: typeof import('hono')['Hono']
declare const forExpress: typeof import('holdfast/express')
declare const forFastify: typeof import('holdfast/fastify')
declare const forHono: typeof import('holdfast/hono')
declare const forFetch: typeof import('holdfast/fetch')
declare const rateLimit: typeof import('express-rate-limit')['rateLimit']
declare const expressRateLimitStore: typeof import('holdfast/http')['expressRateLimitStore']

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

test('a limit behind each door takes what its framework calls a request', () => {
  const calls = (api: Limiter) => {
    const app = express()
    app.use(
      forExpress.limitRequests(api, { key: (req) => ipKey(req.ip ?? ''), cost: (req) => req.query.length as never }),
    )
    app.use(forExpress.limitRequests(api, { refuse: (_, res, turn) => res.json({ again: turn.retryAfterMs }) }))
    const logins = forFastify.limitRequests(api, {
      key: async (request) => (request.body as { user: string }).user,
      refundIf: ({ status }, request) => status < 400 && request.method === 'POST',
    })
    const server = fastify()
    server.register(forFastify.limitRequests(api))
    server.post('/login', { preHandler: logins.hook }, async () => 'in')
    new Hono().use(forHono.limitRequests(api, { key: (c) => c.req.param('id') ?? '', headers: false }))
    const guarded = forFetch.limitRequests(api, { key: (request, env: { ip: string }) => `${request.url} ${env.ip}` })
    const handler = guarded((_request: Request, env: { ip: string }) => new Response(env.ip))
    expectTypeOf(handler).parameters.toEqualTypeOf<[request: Request, env: { ip: string }]>()
    // @ts-expect-error nobody else knows who a Request is from
    forFetch.limitRequests(api, {})
    // @ts-expect-error an id is text
    forHono.limitRequests(api, { key: () => 5 })
    // @ts-expect-error the option is called refuse
    forExpress.limitRequests(api, { handler: () => {} })
    const store = expressRateLimitStore(hf, { prefix: 'api' })
    app.use(rateLimit({ windowMs: 60_000, limit: 100, store }))
  }
  expectTypeOf(calls).toBeFunction()
})

test('a breaker and the monitor answer what they are given to call, and a fallback beside it', () => {
  const calls = () => {
    const payments = hf.breaker('payments', { failures: 5, cooldown: '10s' })
    expectTypeOf(payments.run(async () => 7)).resolves.toEqualTypeOf<number>()
    expectTypeOf(payments.run(() => 7, { fallback: async () => 'later' })).resolves.toEqualTypeOf<number | string>()
    expectTypeOf(hf.monitor.time('checkout', async () => 7)).resolves.toEqualTypeOf<number>()
    // @ts-expect-error a number
    hf.monitor.record({ orders: { count: '3' } })
  }
  expectTypeOf(calls).toBeFunction()
})
