// What a user's compiler takes and refuses. The lines below `@ts-expect-error` are compiled by `npm run types`, never run.
import {
  type ConnectOptions,
  connect,
  type Duration,
  type ErrorCode,
  type Holdfast,
  HoldfastError,
  TimeoutError,
} from 'holdfast'
import { expectTypeOf, test } from 'vitest'

test('takes an address, options, both or nothing', () => {
  expectTypeOf(connect).returns.resolves.toEqualTypeOf<Holdfast>()
  expectTypeOf(connect).toBeCallableWith()
  expectTypeOf(connect).toBeCallableWith('redis://h')
  expectTypeOf(connect).toBeCallableWith({ namespace: 'shop' })
  const calls = () => [
    connect('redis://h', { namespace: 'shop', timeout: '250ms', lazy: true, name: 'me', tls: { servername: 'h' } }),
    connect(process.env.ANY),
    connect({ url: 'redis://h', password: async () => 'fresh' }),
    connect({ client: { any: 'client' } }),
    connect(new URL('redis://h'), { namespace: 'shop' }),
    // @ts-expect-error the option is called timeout
    connect({ tiemout: 5 }),
    // @ts-expect-error a namespace is text
    connect({ namespace: 5 }),
    // @ts-expect-error true or false
    connect({ lazy: 'yes' }),
    // @ts-expect-error no unit called weeks
    connect({ timeout: '1w' }),
    // @ts-expect-error a password is text
    connect({ password: () => 5 }),
    // @ts-expect-error options come second
    connect({ namespace: 'shop' }, 'redis://h'),
  ]
  expectTypeOf(calls).toBeFunction()
})

test('takes durations as a number or with a unit', () => {
  expectTypeOf<250>().toExtend<Duration>()
  expectTypeOf<'250ms' | '10s' | '5m' | '1h' | '7d' | '1.5s'>().toExtend<Duration>()
  expectTypeOf<string>().not.toExtend<Duration>()
  expectTypeOf<'10' | 's' | '10 sec' | ''>().not.toExtend<Duration>()
  expectTypeOf<bigint>().not.toExtend<Duration>()
  expectTypeOf<NonNullable<ConnectOptions['timeout']>>().toEqualTypeOf<Duration>()
})

test('gives an instance that closes itself', () => {
  expectTypeOf<Holdfast>().toExtend<AsyncDisposable>()
  expectTypeOf<Holdfast['close']>().returns.toEqualTypeOf<Promise<void>>()
})

test('tells errors apart by class and by code', () => {
  const look = (error: unknown) => {
    if (error instanceof TimeoutError) expectTypeOf(error.sent).toEqualTypeOf<boolean>()
    if (error instanceof HoldfastError) {
      expectTypeOf(error.code).toEqualTypeOf<ErrorCode>()
      expectTypeOf(error.retryable).toEqualTypeOf<boolean>()
      // @ts-expect-error no such code
      if (error.code === 'TIMED_OUT') return
      // @ts-expect-error what an error says stays as it is
      error.retryable = true
    }
  }
  expectTypeOf(look).toBeFunction()
})
