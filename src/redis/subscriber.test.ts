import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { monotonicMs } from '../base/clock.ts'
import { startProxy, startServer, type TestProxy, type TestServer } from '../testing/index.ts'
import { openIoredisWire } from './ioredis.ts'
import { resolveSettings } from './settings.ts'
import { type KeyWatcher, Subscriber } from './subscriber.ts'

let server: TestServer
let proxy: TestProxy
const open: Subscriber[] = []

beforeAll(async () => {
  server = await startServer({
    users: { default: 'on nopass ~* &* +@all', deaf: 'on >pw ~* &ok:* +@all -client|tracking' },
  })
  proxy = await startProxy({ target: server })
})

afterEach(async () => {
  for (const subscriber of open.splice(0)) subscriber.close()
  await proxy.heal()
})

afterAll(async () => {
  await proxy.close()
  await server.stop()
})

const subscriberAt = (url: string, boundMs?: number): Subscriber => {
  const { connection, timeoutMs } = resolveSettings(url, { timeout: 500 })
  const subscriber = new Subscriber(connection, openIoredisWire, boundMs, timeoutMs)
  open.push(subscriber)
  return subscriber
}

/** Waits for what will be true, looking at every turn of the event loop. */
async function until(what: string, isTrue: () => unknown, withinMs = 5_000): Promise<void> {
  const endMs = monotonicMs() + withinMs
  while (!(await isTrue())) {
    if (monotonicMs() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A watcher that writes down what it is told. */
function noting(...prefixes: string[]) {
  const keys: string[] = []
  const watcher: KeyWatcher & { keys: string[]; gaps: number } = {
    prefixes,
    keys,
    gaps: 0,
    onKey: (key) => void keys.push(key),
    onGap() {
      watcher.gaps++
      keys.length = 0
    },
  }
  return watcher
}

const trusted = (subscriber: Subscriber) => subscriber.trusted(monotonicMs())
const failure = (call: Promise<unknown>) =>
  call.then(
    () => Promise.reject(new Error('it succeeded')),
    (error) => error,
  )

test('tells each watcher of the keys under its own prefixes, however they change', async () => {
  const subscriber = subscriberAt(server.url)
  const products = noting('{t:p:', '{t:tag:')
  const users = noting('{t:u:')
  subscriber.watch(products)
  subscriber.watch(users)
  await until('trust', () => trusted(subscriber))
  await server.command('SET', '{t:p:1}', 'x')
  await server.command('SET', '{t:u:1}', 'x', 'PX', '1')
  await server.command('SET', '{t:other:1}', 'x')
  await server.command('DEL', '{t:p:1}')
  await server.command('INCR', '{t:tag:a}')
  await until('news', () => products.keys.length === 3 && users.keys.length === 2)
  expect(products.keys).toEqual(['{t:p:1}', '{t:p:1}', '{t:tag:a}'])
  expect(users.keys).toEqual(['{t:u:1}', '{t:u:1}'])
})

test('tells of a gap when everything was flushed', async () => {
  const subscriber = subscriberAt(server.url)
  const watcher = noting('{t:')
  subscriber.watch(watcher)
  await until('trust', () => trusted(subscriber))
  const gaps = watcher.gaps
  await server.command('FLUSHALL')
  await until('gap', () => watcher.gaps === gaps + 1)
})

test('is not trusted before the stream stands, nor for a prefix that came later until it stands too', async () => {
  const subscriber = subscriberAt(server.url)
  expect(trusted(subscriber)).toBe(false)
  subscriber.watch(noting('{t:a:'))
  expect(trusted(subscriber)).toBe(false)
  await until('trust', () => trusted(subscriber))
  const later = noting('{t:b:')
  subscriber.watch(later)
  expect(trusted(subscriber)).toBe(false)
  await until('trust', () => trusted(subscriber))
  expect(later.gaps).toBeGreaterThan(0)
  await server.command('SET', '{t:b:1}', 'x')
  await until('news', () => later.keys.length === 1)
})

test('needs no new connection for a prefix inside one that it has, and takes prefixes that overlap', async () => {
  const subscriber = subscriberAt(server.url)
  const wide = noting('{t:')
  const narrow = noting('{t:a:', '{t:')
  subscriber.watch(narrow)
  subscriber.watch(wide)
  await until('trust', () => trusted(subscriber))
  subscriber.watch(noting('{t:a:b:'))
  expect(trusted(subscriber)).toBe(true)
  await server.command('SET', '{t:a:1}', 'x')
  await until('news', () => wide.keys.length === 1 && narrow.keys.length === 1)
})

test('is never trusted for the sake of beats when nothing is watched', async () => {
  const subscriber = subscriberAt(server.url)
  await subscriber.listen('t:bell', () => {})
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(trusted(subscriber)).toBe(false)
})

test('hears a channel from the moment it is told so, and stops when asked', async () => {
  const subscriber = subscriberAt(server.url)
  const heard: string[] = []
  const stop = await subscriber.listen('t:bell', (message) => heard.push(message))
  expect(await server.command('PUBLISH', 't:bell', 'one')).toBe(1)
  await until('message', () => heard.length === 1)
  stop()
  stop()
  await until('unsubscribed', async () => (await server.command('PUBLISH', 't:bell', 'two')) === 0)
  expect(heard).toEqual(['one'])
})

test('asks the server once for a channel that many hear, and lets it go with the last', async () => {
  const subscriber = subscriberAt(server.url)
  let rings = 0
  const ring = () => rings++
  const stops = await Promise.all(Array.from({ length: 20 }, () => subscriber.listen('t:many', ring)))
  expect(await server.command('PUBSUB', 'NUMSUB', 't:many')).toEqual(['t:many', 1])
  await server.command('PUBLISH', 't:many', '')
  await until('all', () => rings === 20)
  for (const stop of stops.slice(1)) stop()
  await server.command('PUBLISH', 't:many', '')
  await until('the last one', () => rings === 21)
  stops[0]?.()
  await until('none', async () => (await server.command<[string, number]>('PUBSUB', 'NUMSUB', 't:many'))[1] === 0)
})

test('keeps nothing of 2,000 channels that came and went', async () => {
  const subscriber = subscriberAt(server.url)
  await Promise.all(Array.from({ length: 2_000 }, async (_, i) => (await subscriber.listen(`t:gone:${i}`, () => {}))()))
  await until('none', async () => (await server.command<string[]>('PUBSUB', 'CHANNELS', 't:gone:*')).length === 0)
})

test('hears a channel that is let go and asked for again in one tick', async () => {
  const subscriber = subscriberAt(server.url)
  const heard: string[] = []
  const stop = await subscriber.listen('t:again', () => {})
  stop()
  await subscriber.listen('t:again', (message) => heard.push(message))
  expect(await server.command('PUBLISH', 't:again', 'x')).toBe(1)
  await until('message', () => heard.length === 1)
})

test('tells of a gap when its connection is killed, and restores stream and channels by itself', async () => {
  const subscriber = subscriberAt(server.url)
  const watcher = noting('{t:')
  const heard: string[] = []
  subscriber.watch(watcher)
  await subscriber.listen('t:bell', (message) => heard.push(message))
  await until('trust', () => trusted(subscriber))
  const gaps = watcher.gaps
  await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until('gap', () => watcher.gaps > gaps)
  await until('trust', () => trusted(subscriber))
  await until('channel', async () => (await server.command('PUBLISH', 't:bell', 'x')) === 1)
  await server.command('SET', '{t:1}', 'x')
  await until('news', () => heard.length === 1 && watcher.keys.length === 1)
})

test('hears channels that are asked for while the connection is away or being opened', async () => {
  const subscriber = subscriberAt(proxy.url)
  subscriber.watch(noting('{t:'))
  await until('trust', () => trusted(subscriber))
  for (let i = 0; i < 10; i++) {
    proxy.cut()
    for (let turns = 0; turns < i; turns++) await new Promise((resolve) => setImmediate(resolve))
    await subscriber.listen(`t:away:${i}`, () => {})
    expect(await server.command('PUBSUB', 'NUMSUB', `t:away:${i}`)).toEqual([`t:away:${i}`, 1])
  }
})

test('ends the trust within its bound when the connection is silently lost, and finds a new one', async () => {
  const subscriber = subscriberAt(proxy.url, 1_000)
  const watcher = noting('{t:')
  subscriber.watch(watcher)
  await until('trust', () => trusted(subscriber))
  const gaps = watcher.gaps
  proxy.drop()
  const lostMs = monotonicMs()
  await server.command('SET', '{t:missed}', 'x')
  await until('doubt', () => !trusted(subscriber))
  expect(monotonicMs() - lostMs).toBeLessThan(1_150)
  await until('gap', () => watcher.gaps > gaps)
  expect(monotonicMs() - lostMs).toBeLessThan(1_800)
  await proxy.heal()
  await until('trust', () => trusted(subscriber))
})

test('stays trusted on an idle connection', async () => {
  const subscriber = subscriberAt(server.url, 1_000)
  const watcher = noting('{t:')
  subscriber.watch(watcher)
  await until('trust', () => trusted(subscriber))
  const gaps = watcher.gaps
  const endMs = monotonicMs() + 2_500
  await until('the time is over', () => {
    expect(trusted(subscriber)).toBe(true)
    return monotonicMs() > endMs
  })
  expect(watcher.gaps).toBe(gaps)
})

test('gives up listening within the timeout when there is no server, and forgets the listener', async () => {
  await proxy.refuse()
  const subscriber = subscriberAt(proxy.url)
  const startMs = monotonicMs()
  const errors = await Promise.all(Array.from({ length: 5 }, () => failure(subscriber.listen('t:late', () => {}))))
  expect(monotonicMs() - startMs).toBeLessThan(600)
  for (const error of errors) expect(error).toMatchObject({ code: 'TIMEOUT', operation: 'listen', sent: false })
  await proxy.heal()
  await subscriber.listen('t:now', () => {})
  expect(await server.command('PUBSUB', 'NUMSUB', 't:late')).toEqual(['t:late', 0])
})

test('gives up within the timeout when the server is silent', async () => {
  const subscriber = subscriberAt(proxy.url)
  await subscriber.listen('t:bell', () => {})
  proxy.drop()
  expect(await failure(subscriber.listen('t:silent', () => {}))).toMatchObject({ code: 'TIMEOUT', sent: true })
})

test('says what to grant when a channel is denied, and goes on hearing the others', async () => {
  const url = server.url.replace('redis://', 'redis://deaf:pw@')
  const subscriber = subscriberAt(url)
  const heard: string[] = []
  await subscriber.listen('ok:bell', (message) => heard.push(message))
  const error = await failure(subscriber.listen('no:bell', () => {}))
  expect(error).toMatchObject({ code: 'SERVER_DENIED', needs: '+subscribe &no:bell' })
  await server.command('PUBLISH', 'ok:bell', 'x')
  await until('message', () => heard.length === 1)
})

test('hears channels, and trusts nothing, where the user may not have the stream', async () => {
  const url = server.url.replace('redis://', 'redis://deaf:pw@')
  const subscriber = subscriberAt(url)
  subscriber.watch(noting('{t:'))
  await subscriber.listen('ok:bell', () => {})
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(trusted(subscriber)).toBe(false)
})

test('refuses with a typed error when the password is wrong', async () => {
  const subscriber = subscriberAt(server.url.replace('redis://', 'redis://deaf:wrong@'))
  expect(await failure(subscriber.listen('t:bell', () => {}))).toMatchObject({ code: 'AUTH_FAILED' })
})

test('ends what waits when it is closed, and listens no more', async () => {
  await proxy.refuse()
  const subscriber = subscriberAt(proxy.url)
  const watcher = noting('{t:')
  subscriber.watch(watcher)
  const waiting = failure(subscriber.listen('t:bell', () => {}))
  subscriber.close()
  expect(await waiting).toMatchObject({ code: 'CONNECTION_CLOSED' })
  expect(await failure(subscriber.listen('t:bell', () => {}))).toMatchObject({ code: 'CONNECTION_CLOSED' })
  subscriber.watch(noting('{u:'))
  expect(trusted(subscriber)).toBe(false)
  subscriber.close()
})
