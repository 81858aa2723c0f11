// Write-behind whose processes die or stand still, and whose server restarts: what was acknowledged is persisted, the latest last.
import { type Cache, connect, type Holdfast, type WrittenEntry } from 'holdfast'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { Child } from './lock.fixture.ts'

let server: TestServer
let proxy: TestProxy
let namespace: string
// Slow to start, so it starts at once and is waited for where it is needed.
let child: Child
const open: Holdfast[] = []

beforeAll(async () => {
  server = await startServer({ config: { appendonly: 'yes', appendfsync: 'always' } })
  child = new Child(server.url, undefined, 'cache-behind')
  proxy = await startProxy({ target: server })
})
beforeEach(() => {
  namespace = testNamespace('behind')
})
afterEach(async () => {
  await server.heal()
  await proxy.heal()
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(async () => {
  await child.kill()
  await proxy.close()
  await server.stop()
})

type Persist = (entries: readonly WrittenEntry<number>[]) => Promise<unknown> | unknown

async function cacheOf(
  persist: Persist,
  { url = server.url, write = {} }: { url?: string; write?: object } = {},
): Promise<Cache<number>> {
  const hf = await connect(url, { namespace, timeout: 2_000 })
  open.push(hf)
  return hf.cache<number>('it', { ttl: '1m', write: { mode: 'behind', persist, batch: { delay: '5ms' }, ...write } })
}
const soon = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 20_000 })

it('repeats a write whose answer was lost, and persists it', async () => {
  const store = new Map<string, number | undefined>()
  const persist: Persist = (entries) => entries.forEach(({ id, value }) => void store.set(id, value))
  const far = await cacheOf(persist, { url: proxy.url })
  await far.set('a', 1)
  await far.flush()
  proxy.dropReplies()
  const setting = far.set('a', 2)
  const near = await cacheOf(persist)
  await soon(async () => expect(await near.peek('a')).toBe(2))
  proxy.cut()
  await proxy.heal()
  await setting
  await far.flush()
  expect(store.get('a')).toBe(2)
})

it('persists nothing older after what is newer, while others wait for a persist that takes long', async () => {
  const seen: number[] = []
  let begun = 0
  let finish = () => {}
  const slow = await cacheOf(async (entries) => {
    begun++
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    seen.push(...entries.map(({ value }) => value as number))
  })
  await slow.set('a', 1)
  await soon(() => expect(begun).toBe(1))
  const other = await cacheOf((entries) => void seen.push(...entries.map(({ value }) => value as number)))
  let flushed = false
  const lease = (await server.command<string[]>('KEYS', `behind:{${namespace}*lease`))[0] as string
  await other.set('a', 2)
  const flushing = other.flush().then(() => {
    flushed = true
  })
  // The lease stands, and is renewed: nobody else persists.
  const leftMs = () => server.command<number>('PTTL', lease)
  await soon(async () => expect(await leftMs()).toBeLessThan(2_500))
  await soon(async () => expect(await leftMs()).toBeGreaterThan(2_600))
  expect(flushed).toBe(false)
  finish()
  await soon(() => expect(seen).toHaveLength(1))
  finish()
  await soon(() => {
    finish()
    expect(flushed).toBe(true)
  })
  await flushing
  expect(seen).toEqual([1, 2])
})

it('gives nothing up while the system of record is away, however often it is tried', async () => {
  const away = new Error('away')
  let isAway = false
  const store = new Map<string, number | undefined>()
  const persist: Persist = (entries) => {
    if (isAway) throw away
    for (const { id, value } of entries) store.set(id, value)
  }
  const it = await cacheOf(persist, { write: { retry: { attempts: 2 } } })
  // It has taken something right before.
  for (let i = 0; i < 8; i++) await it.set(`first ${i}`, i)
  await it.flush()
  isAway = true
  for (let i = 0; i < 40; i++) await it.set(`id ${i}`, i)
  for (let i = 0; i < 6; i++) await expect(it.flush()).rejects.toBe(away)
  expect(await it.writeLag()).toMatchObject({ dirty: 40, dead: 0 })
  isAway = false
  await it.flush()
  expect(store.size).toBe(48)
})

it('persists on a full server, and refuses only what is new', async () => {
  const store = new Map<string, number | undefined>()
  const persist: Persist = (entries) => entries.forEach(({ id, value }) => void store.set(id, value))
  const it = await cacheOf(persist, { write: { batch: { delay: '1h' } } })
  await it.set('a', 1)
  await it.delete('b')
  await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
  try {
    await expect(it.set('a', 2)).rejects.toMatchObject({ code: 'SERVER_FULL' })
    expect(await it.peek('a')).toBe(1)
    await it.flush()
    expect(await it.peek('a')).toBe(1)
  } finally {
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
  }
  expect([...store].sort()).toEqual([
    ['a', 1],
    ['b', undefined],
  ])
})

it('survives the kill of every process, and of the server: the next one persists all that was acknowledged', async () => {
  await child.said('ready')
  child.do('write', namespace)
  await child.said('stands id 5 105')
  await child.said('persisting')
  await child.kill()
  await server.kill()
  await server.restart()
  const stands = new Map<string, number>()
  for (const line of child.lines) {
    const [, id, n] = /^stands (id \d) (\d+)$/.exec(line) ?? []
    if (id !== undefined) stands.set(id, Number(n))
  }
  expect(stands.size).toBe(10)
  const store = new Map<string, { readonly value: number; readonly version: bigint }>()
  // It is not asked for anything: that the cache exists is enough.
  await cacheOf((entries) => {
    for (const { id, value, version } of entries) {
      if ((store.get(id)?.version ?? 0n) > version) throw new Error('an older one came later')
      store.set(id, { value: value as number, version })
    }
  })
  // The dead one was persisting: nobody else does until its leases end, which need not be waited for here.
  const leases = await server.command<string[]>('KEYS', `behind:{${namespace}*lease`)
  await Promise.all(leases.map((lease) => server.command('PEXPIRE', lease, 1)))
  await soon(() => expect(store.size).toBe(10))
  for (const [id, n] of stands) expect(store.get(id)?.value).toBeGreaterThanOrEqual(n)
})
