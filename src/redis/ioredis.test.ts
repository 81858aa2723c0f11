import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startProxy, startServer, type TestServer } from '../testing/index.ts'
import { openIoredisWire } from './ioredis.ts'
import { resolveSettings } from './settings.ts'
import { LinkFault, ReplyFault, type Wire } from './wire.ts'

const SECRET = 's3cr3t'
let server: TestServer

beforeAll(async () => {
  server = await startServer({
    password: SECRET,
    users: { bare: `on >${SECRET} ~* &* +@all -client -select`, free: 'on nopass ~* &* +@all' },
  })
})

afterAll(() => server.stop())

const settings = (url: string, timeout = 500) => resolveSettings(url, { timeout }).connection as never
const openWire = (url: string, signal = new AbortController().signal): Promise<Wire> =>
  openIoredisWire(settings(url), signal)
const refusal = (url: string): Promise<Error> =>
  openWire(url).then(
    () => Promise.reject(new Error('it opened')),
    (error) => error,
  )
const as = (login: string, rest = '') => server.url.replace(/\/\/.*@/, `//${login}`) + rest

test('logs in, chooses the database and gives its name', async () => {
  const wire = await openWire(`${server.url}/3`)
  expect(await wire.send('CLIENT', ['INFO'], false)).toMatch(/ db=3 .*\n$/)
  expect(await wire.send('CLIENT', ['GETNAME'], false)).toMatch(/^holdfast:/)
  wire.destroy()
})

test('logs in as a user, with a password of any letters or none', async () => {
  await server.command('ACL', 'SETUSER', 'odd@user:', 'on', '>p@ss :/%wörd', '~*', '+@all')
  for (const login of [
    `${encodeURIComponent('odd@user:')}:${encodeURIComponent('p@ss :/%wörd')}@`,
    'free:any@',
    'free@',
  ]) {
    const wire = await openWire(as(login))
    expect(await wire.send('PING', [], false)).toBe('PONG')
    wire.destroy()
  }
})

test('needs no right to name a connection', async () => {
  const wire = await openWire(as(`bare:${SECRET}@`))
  expect(await wire.send('ACL', ['WHOAMI'], false)).toBe('bare')
  wire.destroy()
})

test('is refused, and never lands in database 0, when the database cannot be chosen', async () => {
  expect(await refusal(`${server.url}/99`)).toMatchObject({ message: expect.stringContaining('out of range') })
  expect(await refusal(as(`bare:${SECRET}@`, '/1'))).toMatchObject({ prefix: 'NOPERM' })
})

test('is refused for a wrong password, and repeats none in what it says', async () => {
  await using renamed = await startServer({ config: { 'rename-command': 'AUTH ""' } })
  const faults = [
    await refusal(as(`:${SECRET}1@`)),
    await refusal(as(`none:${SECRET}@`)),
    await refusal(renamed.url.replace('//', `//me:${SECRET}@`)),
  ]
  for (const fault of faults) {
    expect(fault).toBeInstanceOf(ReplyFault)
    expect(inspect(fault, { depth: 10, showHidden: true })).not.toContain(SECRET)
  }
})

test('prints nothing when a password is given to a server that needs none', async () => {
  const warn = vi.spyOn(console, 'warn')
  await using open = await startServer()
  const wire = await openWire(open.url.replace('//', `//:${SECRET}@`))
  expect(await wire.send('PING', [], false)).toBe('PONG')
  wire.destroy()
  expect(warn).not.toHaveBeenCalled()
})

test('gives up in time on a server that takes the socket and says nothing, and at once when told to', async () => {
  await using proxy = await startProxy({ target: server })
  proxy.drop()
  const startMs = performance.now()
  expect(await refusal(proxy.url)).toMatchObject({ message: 'no handshake within 500 ms' })
  expect(performance.now() - startMs).toBeLessThan(600)
  const gone = new AbortController()
  const opening = openWire(proxy.url, gone.signal)
  gone.abort()
  await expect(opening).rejects.toBeInstanceOf(LinkFault)
})

test('tells what never left from what may have been carried out', async () => {
  await using proxy = await startProxy({ target: server })
  const wire = await openWire(proxy.url.replace('//', `//:${SECRET}@`))
  const ended = new Promise<void>((resolve) => wire.onEnd(resolve))
  proxy.delay(Number.POSITIVE_INFINITY)
  const underWay = wire.send('INCR', ['n'], false).catch((error) => wire.fault(error))
  await new Promise((resolve) => setImmediate(resolve))
  proxy.cut()
  expect(await underWay).toMatchObject({ sent: true })
  await ended
  const after = await wire.send('INCR', ['n'], false).catch((error) => wire.fault(error))
  expect(after).toBeInstanceOf(LinkFault)
  // Whoever asks late is told too.
  await new Promise<void>((resolve) => wire.onEnd(resolve))
})

test('gives bytes or text as asked for, and takes any bytes', async () => {
  const wire = await openWire(server.url)
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  await wire.send('SET', ['bytes', bytes], false)
  expect(await wire.send('GET', ['bytes'], true)).toEqual(bytes)
  expect(await wire.send('MGET', ['none', 'bytes'], true)).toEqual([null, bytes])
  wire.destroy()
})

test('ends what is under way when it is destroyed, and may be destroyed twice', async () => {
  const wire = await openWire(server.url)
  const blocked = wire.send('BLPOP', ['nothing', 0], false).catch((error) => wire.fault(error))
  wire.destroy()
  wire.destroy()
  expect(await blocked).toMatchObject({ sent: true })
})
