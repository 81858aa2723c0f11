// Write-behind, on every topology. What survives a kill of all processes: test/fault/cache-behind.test.ts.
import type { Cache, CacheOptions, Holdfast, WrittenEntry } from 'holdfast'
import { beforeEach, expect, it, vi } from 'vitest'
import { Place } from './place.ts'

const place = new Place({ caches: [], behind: ['it'] })
/** The system of record of the test: it takes what is newer, as one would in SQL. */
let store: Map<string, { readonly value: number | undefined; readonly version: bigint }>
let batches: (readonly WrittenEntry<number>[])[]
/** What the next calls of persist wait for, or throw. */
let hinder: (entries: readonly WrittenEntry<number>[]) => Promise<void> | void
let hf: Holdfast

beforeEach(async () => {
  store = new Map()
  batches = []
  hinder = () => {}
  hf = await place.connect()
})

const persist = async (entries: readonly WrittenEntry<number>[]) => {
  batches.push(entries)
  await hinder(entries)
  for (const { id, value, version } of entries)
    if ((store.get(id)?.version ?? 0n) < version) store.set(id, { value, version })
}
const cacheOf = (one: Holdfast, options: Partial<CacheOptions<number>> = {}, write: object = {}): Cache<number> =>
  one.cache<number>('it', {
    ttl: '1m',
    load: (id) => store.get(id)?.value,
    write: { mode: 'behind', persist, batch: { delay: '10ms' }, ...write },
    ...options,
  })
const soon = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 15_000 })
const ids = Array.from({ length: 20 }, (_, i) => `id ${i}`)

it('shows a write to all at once, and persists the latest of each id, in order, and nothing twice', async () => {
  const [one, two] = [cacheOf(hf, { memory: {} }), cacheOf(await place.connect(), { stampede: 'fleet' })]
  const waiting: (() => void)[] = []
  hinder = () => new Promise((resolve) => void waiting.push(resolve))
  for (const id of ids) await one.set(id, 0)
  for (const id of ids) await two.set(id, 1)
  await soon(() => expect(batches.length).toBeGreaterThan(0))
  // While an older one is being persisted.
  for (const id of ids) await one.set(id, 2)
  expect(await two.getMany(ids)).toEqual(new Map(ids.map((id) => [id, 2])))
  expect(await one.get('id 3')).toBe(2)
  hinder = () => {}
  for (const release of waiting) release()
  await Promise.all([one.flush(), two.flush()])
  for (const id of ids) {
    expect(store.get(id)?.value).toBe(2)
    const versions = batches.flat().filter((entry) => entry.id === id)
    expect(versions.length).toBeLessThanOrEqual(2)
    expect(versions.map(({ version }) => version)).toEqual(versions.map(({ version }) => version).sort())
  }
  expect(await one.writeLag()).toEqual({ dirty: 0, oldestMs: 0, dead: 0 })
  expect(await two.get('id 7')).toBe(2)
  // An entry like any other now.
  for (const key of await place.keys(`{${place.namespace}:cache:it:~*:*`))
    expect(await place.command<number>('PTTL', key)).toBeGreaterThan(30_000)
})

it('deletes from the system of record too, and reads null until it has', async () => {
  const it = cacheOf(hf)
  await it.set('a', 1)
  await it.flush()
  let release = () => {}
  hinder = () => new Promise((resolve) => (release = resolve))
  await it.delete('a')
  expect(await it.get('a')).toBeNull()
  await soon(() => expect(batches).toHaveLength(2))
  expect(batches[1]).toMatchObject([{ id: 'a', deleted: true, value: undefined }])
  expect(store.get('a')?.value).toBe(1)
  release()
  await it.flush()
  expect(store.get('a')?.value).toBeUndefined()
  expect(await it.get('a')).toBeUndefined()
})

it('loses no write to an invalidation, an eviction, a late load or its own ttl', async () => {
  let release = () => {}
  const loading = new Promise<void>((resolve) => (release = resolve))
  store.set('slow', { value: -1, version: 1n })
  const load = async (id: string) => {
    if (id === 'slow') await loading
    return store.get(id)?.value
  }
  const it = cacheOf(hf, { load, tags: ['all'], expiry: { stale: '1m' } }, { batch: { delay: '1h' } })
  const other = cacheOf(await place.connect(), { load, tags: ['all'] }, { batch: { delay: '1h' } })
  const late = other.get('slow')
  await soon(async () => expect(await place.keys(`lease:{${place.namespace}*`)).toHaveLength(1))
  for (const id of ['a', 'b', 'c', 'd', 'slow']) await it.set(id, 5, { ttl: 1 })
  release()
  expect(await late).toBe(-1)
  await it.invalidateTag('all')
  expect(await other.get('slow')).toBe(5)
  expect(await it.invalidatePattern('a')).toBe(1)
  await it.clear()
  const keys = await place.keys(`{${place.namespace}:cache:it:~*:*`)
  for (const key of keys) await place.command('UNLINK', key)
  expect(await other.getMany(['a', 'b', 'gone', 'slow'])).toEqual(
    new Map<string, number | undefined>([
      ['a', 5],
      ['b', 5],
      ['gone', undefined],
      ['slow', 5],
    ]),
  )
  await it.mutate(['c'], () => {})
  expect(await other.get('c')).toBe(5)
  expect(await other.peek('d')).toBe(5)
  expect(await it.refresh('d')).toBe(5)
  expect(await it.warm([['d', 7]])).toMatchObject({ written: 0, failures: [{ id: 'd', reason: 'fenced' }] })
  expect(batches).toEqual([])
  await other.flush()
  expect([...store.values()].map(({ value }) => value)).toEqual([5, 5, 5, 5, 5])
  // A tag that is invalidated from now on ends it as it ends any other.
  await it.set('a', 6)
  await it.flush()
  store.set('a', { value: 7, version: 1n })
  expect(await other.get('a')).toBe(6)
  await it.invalidateTag('all')
  expect(await other.get('a')).toBe(7)
})

it('tries again, parks what is at fault alone, and has it persisted after all when told to', async () => {
  const errors: unknown[] = []
  const retry = { attempts: 2, base: 5, max: 10_000 }
  const it = cacheOf(hf, {}, { retry, onError: (error: unknown) => errors.push(error) })
  hinder = (entries) => {
    if (entries.some(({ id }) => id === 'id 4')) throw new Error('value too long')
  }
  await Promise.all(ids.map((id) => it.set(id, 1)))
  await soon(async () => expect(await it.writeLag()).toMatchObject({ dirty: 0, dead: 1 }))
  expect(errors).toContainEqual(new Error('value too long'))
  expect([...store.keys()].sort()).toEqual(ids.filter((id) => id !== 'id 4').sort())
  const [dead, ...others] = await it.deadWrites()
  expect(dead).toMatchObject({ id: 'id 4', value: 1, error: 'value too long', attempts: 2 })
  expect(Number(dead?.diedAtMs)).toBeGreaterThan(Number((dead?.version ?? 0n) / 1000n) - 1)
  expect(others).toEqual([])
  expect(await it.deadWrites({ filter: ({ error }) => error === 'other' })).toEqual([])
  expect(await it.purgeWrites({ filter: ({ value }) => value === 7 })).toBe(0)
  // Given up: readers see what the system of record has.
  expect(await it.get('id 4')).toBeUndefined()
  hinder = () => {}
  expect(await it.redriveWrites(['id 4', 'id 5'])).toBe(1)
  expect(await it.get('id 4')).toBe(1)
  await it.flush()
  expect(store.get('id 4')?.value).toBe(1)
  expect(await it.deadWrites()).toEqual([])
})

it('gives up what fails alone in time, also where nothing else is written, and lets it be mended before', async () => {
  const it = cacheOf(hf, {}, { retry: { base: 1, max: 5 }, giveUpAfter: 250, maxDirtyAge: 1 })
  hinder = (entries) => {
    if (entries.some(({ value }) => value === -1)) throw new Error('value too low')
  }
  await it.set('a', 5)
  await it.set('a', -1)
  // Of the two, what is persisted is the later one: it fails, and the older one does not come after all.
  await soon(async () => expect(await it.writeLag()).toEqual({ dirty: 0, oldestMs: 0, dead: 1 }))
  expect(await it.deadWrites()).toMatchObject([{ id: 'a', value: -1 }])
  const seen = batches.flat().map(({ value }) => value)
  expect(seen.lastIndexOf(5)).toBeLessThan(seen.indexOf(-1))
  expect(await it.purgeWrites()).toBe(1)
  // One that failed may be replaced, however far the system of record is behind.
  await it.set('b', -1)
  await soon(() => it.set('b', 7))
  await it.flush()
  expect(store.get('b')?.value).toBe(7)
  expect(await it.writeLag()).toMatchObject({ dirty: 0 })
})

it('bounds how far the system of record may be behind: writers wait for it, and are refused while it is away', async () => {
  const it = cacheOf(hf, {}, { maxDirtyCount: 8, batch: { delay: '1h' } })
  await Promise.all(ids.map((id) => it.set(id, 1)))
  expect((await it.writeLag()).dirty).toBeLessThanOrEqual(8)
  expect(store.size).toBeGreaterThanOrEqual(12)
  const away = new Error('away')
  hinder = () => {
    throw away
  }
  // One of them is dirty already, and does not make it more.
  const answers = await Promise.allSettled(ids.map((id) => it.set(id, 2)))
  const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
  expect(refused.length).toBeGreaterThanOrEqual(12)
  for (const error of refused) expect(error).toMatchObject({ code: 'WRITE_BEHIND_FULL', retryable: true, cause: away })
  await expect(it.flush()).rejects.toBe(away)
  hinder = () => {}
  await it.flush()
  expect([...store.values()].filter(({ value }) => value === 2)).toHaveLength(ids.length - refused.length)
})

it('persists by close what it can', async () => {
  const it = cacheOf(hf, {}, { batch: { delay: '1h' } })
  await it.set('c', 3)
  await hf.close()
  expect(store.get('c')?.value).toBe(3)
})
