// What sessions do when servers freeze, replies are lost, and two processes work on one session.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect, type Holdfast, type Sessions } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const RACER = fileURLToPath(new URL('./session-racer.ts', import.meta.url))
type Data = Record<string, unknown>

let server: TestServer
let namespace: string
const closing: (() => unknown)[] = []

beforeAll(async () => {
  server = await startServer()
})
beforeEach(() => {
  namespace = testNamespace('session')
})
afterEach(async () => {
  await server.heal()
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => server.stop())

async function open(url = server.url, timeout = 10_000): Promise<{ hf: Holdfast; sessions: Sessions<Data> }> {
  const hf = await connect(url, { namespace, timeout })
  closing.push(() => hf.close())
  return { hf, sessions: hf.sessions<Data>() }
}

const keysOf = (id: string) => server.command<string[]>('KEYS', `*${id.slice(0, 16)}*`)
const keys = () => server.command<string[]>('KEYS', `*${namespace}*`)

describe('two processes on one session', () => {
  let child: ChildProcess
  let namespaceOfBoth: string
  let lines: AsyncIterator<string>

  beforeAll(async () => {
    namespaceOfBoth = testNamespace('session')
    child = spawn(process.execPath, ['--import', LOADER, RACER, server.url, namespaceOfBoth], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('ready')
  })
  beforeEach(() => {
    namespace = namespaceOfBoth
  })
  afterAll(() => child.kill('SIGKILL'))

  const tell = async (task: object): Promise<unknown> => {
    child.stdin!.write(`${JSON.stringify(task)}\n`)
    return JSON.parse((await lines.next()).value as string)
  }

  it('lose no field of each other', async () => {
    const { sessions } = await open()
    const { id } = await sessions.create({ kept: true })
    const theirs = tell({ do: 'count', id, from: 0, to: 200 })
    const ours = Array.from({ length: 200 }, (_, i) => sessions.update(id, { [`f${200 + i}`]: 200 + i, last: i }))
    expect((await Promise.all(ours)).every((session) => session !== undefined)).toBe(true)
    expect(await theirs).toBe(0)
    const { last, kept, ...fields } = (await sessions.load(id))?.data ?? {}
    expect(kept).toBe(true)
    expect(last).toEqual(expect.any(Number))
    expect(fields).toEqual(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`f${i}`, i])))
  })

  it('end it for both: a slow request that loaded before the logout brings nothing back', async () => {
    const { sessions } = await open()
    const { id } = await sessions.create({ user: 'ann' }, { userId: 'ann' })
    expect(await tell({ do: 'load', id })).toBe(true)
    expect(await sessions.destroy(id)).toBe(true)
    expect(await tell({ do: 'late', patch: { user: 'ann', admin: true } })).toBe(false)
    expect(await tell({ do: 'late', patch: { user: undefined } })).toBe(false)
    expect(await sessions.load(id)).toBeUndefined()
    expect(await sessions.listFor('ann')).toEqual([])
  })

  it('end it for both while the other one saves without a pause', async () => {
    const { sessions } = await open()
    for (const end of ['destroy', 'revokeAll', 'revoke'] as const) {
      const { id } = await sessions.create({ user: 'ann' }, { userId: 'ann' })
      const returned = tell({ do: 'press', id })
      await vi.waitFor(async () => expect((await sessions.load(id))?.data).toHaveProperty('n'))
      if (end === 'destroy') await sessions.destroy(id)
      else if (end === 'revokeAll') await sessions.revokeAll('ann')
      else await sessions.revoke('ann', sessions.refOf(id) as string)
      expect(await sessions.load(id)).toBeUndefined()
      expect(await returned).toBe(0)
      expect(await keysOf(id)).toEqual([])
    }
  })
})

describe('a frozen server', () => {
  it('costs a call its deadline and no more, and a logout that was sent is final', async () => {
    const { sessions } = await open(server.url, 300)
    const { id } = await sessions.create({ n: 1 })
    await server.pause()
    const startedMs = performance.now()
    const calls = [sessions.load(id), sessions.update(id, { n: 2 }), sessions.destroy(id)]
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'TIMEOUT', sent: true, retryable: true })
    expect(performance.now() - startedMs).toBeLessThan(2_000)
    await server.resume()
    await vi.waitFor(async () => expect(await sessions.load(id)).toBeUndefined(), 10_000)
    expect(await sessions.destroy(id)).toBe(false)
    expect(await keys()).toEqual([])
  })

  it('costs a malformed id nothing', async () => {
    const { sessions } = await open(server.url, 300)
    await server.pause()
    expect(await sessions.load('malformed')).toBeUndefined()
    expect(await sessions.destroy(undefined)).toBe(false)
    await server.resume()
  })
})

it('repeats by itself what was done and never answered, and answers as the first did', async () => {
  const proxy = await startProxy({ target: server })
  closing.push(() => proxy.close())
  const { sessions } = await open(proxy.url)
  // A script that the server does not know yet costs a second way there, which is not what is tested here.
  const first = await sessions.create({ n: 0 }, { userId: 'ann' })
  await sessions.update(first.id, { n: 1 })
  await sessions.regenerate(first.id, { overlap: 0 })
  /** Runs a call whose answer is lost when it was carried out. */
  const lossy = async <R>(call: () => Promise<R>, done: () => Promise<boolean>): Promise<R> => {
    proxy.dropReplies()
    const calling = call()
    await vi.waitFor(async () => expect(await done()).toBe(true))
    await proxy.heal()
    return calling
  }
  const bare = await open()
  const sum = async () =>
    (await Promise.all((await keys()).map((key) => server.command<string[]>('HGETALL', key)))).join()

  let before = await bare.sessions.count()
  const made = await lossy(
    () => sessions.create({ n: 1 }),
    async () => (await bare.sessions.count()) === before + 1,
  )
  expect(await sessions.load(made.id)).toMatchObject({ data: { n: 1 } })

  let was = await sum()
  const next = await lossy(
    () => sessions.regenerate(made.id, { data: { n: 2 }, overlap: 0 }),
    async () => (await sum()) !== was,
  )
  expect(next).toMatchObject({ data: { n: 2 } })
  expect(next?.id).not.toBe(made.id)
  expect(await sessions.load(next?.id)).toMatchObject({ data: { n: 2 } })
  expect(await sessions.load(made.id)).toBeUndefined()

  was = await sum()
  const login = await lossy(
    () => sessions.regenerate(next?.id, { userId: 'ann' }),
    // Of its two steps the first.
    async () => (await server.command('HLEN', `{${namespace}:session-user:default:ann}`)) === 2,
  )
  expect(await sessions.load(login?.id)).toMatchObject({ userId: 'ann' })
  expect(await sessions.listFor('ann')).toHaveLength(2)

  before = await bare.sessions.count()
  await lossy(
    () => sessions.destroy(login?.id),
    async () => (await bare.sessions.count()) === before - 1,
  )
  expect(await sessions.load(login?.id)).toBeUndefined()
})

it('finds no session after a restart that lost everything, and makes none of what comes late', async () => {
  const own = await startServer()
  closing.push(() => own.stop())
  const { sessions } = await open(own.url)
  const { id } = await sessions.create({ n: 1 }, { userId: 'ann' })
  await own.restart({ empty: true })
  expect(await sessions.update(id, { n: 2 })).toBeUndefined()
  expect(await sessions.load(id)).toBeUndefined()
  expect(await sessions.listFor('ann')).toEqual([])
  expect(await own.command('DBSIZE')).toBe(0)
})
