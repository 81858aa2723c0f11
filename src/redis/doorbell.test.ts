import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { Doorbell } from './doorbell.ts'
import { Redis } from './redis.ts'
import { resolveSettings } from './settings.ts'

let server: TestServer
let redis: Redis
const heard: string[] = []

beforeAll(async () => {
  server = await startServer({ users: { deaf: 'on >pw ~* +@all' } })
})

beforeEach(() => {
  redis = new Redis(resolveSettings(server.url.replace('//', '//deaf:pw@'), {}))
  heard.length = 0
})

afterEach(async () => {
  vi.useRealTimers()
  await redis.close()
})

afterAll(() => server.stop())

const letListen = (rule: '&*' | 'resetchannels') => server.command('ACL', 'SETUSER', 'deaf', rule)
const publish = (message: string) => server.command('PUBLISH', 'door', message)
const newDoorbell = () =>
  new Doorbell(redis.listeners, 'door', { onMessage: (message) => heard.push(message), onUp: () => heard.push('up') })

test('says once that it is heard, then each message, and nothing after it was closed', async () => {
  await letListen('&*')
  const [doorbell, other] = [newDoorbell(), newDoorbell()]
  doorbell.listen().listen()
  await vi.waitFor(() => expect(heard).toEqual(['up']))
  await publish('first')
  await vi.waitFor(() => expect(heard).toEqual(['up', 'first']))
  doorbell.close()
  other.listen()
  await vi.waitFor(() => expect(heard).toEqual(['up', 'first', 'up']))
  await publish('second')
  await vi.waitFor(() => expect(heard).toEqual(['up', 'first', 'up', 'second']))
  other.close()
})

test('closed before it listens or before the server has answered, it says nothing and leaves no subscription', async () => {
  await letListen('&*')
  const [early, late] = [newDoorbell(), newDoorbell().listen()]
  for (const doorbell of [early, late]) doorbell.close()
  early.listen()
  await redis.listeners.listen('another', () => {})
  await vi.waitFor(async () => expect(await server.command('PUBSUB', 'NUMSUB', 'door')).toEqual(['door', 0]))
  expect(heard).toEqual([])
})

test('asks again five seconds after it was refused, until it is closed', async () => {
  await letListen('resetchannels')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const asked = vi.spyOn(redis.listeners, 'listen')
  const isAsked = (times: number) =>
    expect(Promise.allSettled(asked.mock.results.map(({ value }) => value))).resolves.toHaveLength(times)
  const [doorbell, early, late] = [newDoorbell().listen(), newDoorbell().listen(), newDoorbell().listen()]
  early.close()
  await isAsked(3)
  late.close()
  await vi.advanceTimersByTimeAsync(4_999)
  await isAsked(3)
  await letListen('&*')
  await vi.advanceTimersByTimeAsync(1)
  await isAsked(4)
  await Promise.all(asked.mock.results.slice(3).map(({ value }) => value))
  expect(heard).toEqual(['up'])
  doorbell.close()
})
