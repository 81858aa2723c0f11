// What a log promises, on every topology. One that kills processes: test/fault/log.test.ts.
import type { HandlerContext, Holdfast, LogEntry, LogWorker } from 'holdfast'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const place = new Place({ logs: true })
const workers: LogWorker[] = []
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()))
})

const keep = (worker: LogWorker): LogWorker => {
  workers.push(worker)
  return worker
}
const dataOf = <T>(entries: readonly LogEntry<T>[]): readonly T[] => entries.map(({ data }) => data)
const soon = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 15_000 })

it('keeps a log on one server, and reads it in order from any point', async () => {
  const log = hf.log<unknown>('orders')
  const values = [1, 'ü', null, { at: new Date(5), n: 10n ** 20n }, [], 9007199254740993n]
  const ids = await log.appendMany(values, { key: (_, i) => `k${i}` })
  const last = await log.append({}, { key: 'last' })
  const all = await log.read()
  expect(dataOf(all)).toEqual([...values, {}])
  expect(all.map(({ id }) => id)).toEqual([...ids, last])
  expect(all.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(all.map(({ key }) => key)).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'last'])
  expect(dataOf(await log.read({ from: ids[4] as string, limit: 2 }))).toEqual(values.slice(4))
  expect(dataOf(await log.read({ after: ids[5] as string }))).toEqual([{}])
  expect(await log.read({ from: new Date(Date.now() + 60_000) })).toEqual([])
  const seen: unknown[] = []
  for await (const { data } of hf.log<unknown>('orders').entries({ from: ids[1] as string })) seen.push(data)
  expect(seen).toEqual([...values.slice(1), {}])
  for (let i = 0; i < 12; i++) await hf.log(`log ${i}`).append(i)
  const keys = await place.keys(`*${place.namespace}:log:*`)
  expect(new Set(keys.map(hashTag)).size).toBe(13)
})

it('appends what carries an id once, and follows what comes', async () => {
  const log = hf.log<number>('orders')
  const [first] = await log.appendMany([1, 2], { id: (n) => `order ${n}` })
  const others = (await place.connect()).log<number>('orders')
  expect(await others.append(1, { id: 'order 1' })).toBe(first)
  expect(await log.append(3, { id: '' })).toBe(await others.append(4, { id: '' }))
  expect(dataOf(await log.read())).toEqual([1, 2, 3])
  const seen: number[] = []
  const following = (async () => {
    for await (const { data } of log.entries({ from: 'now', follow: true })) if (seen.push(data) === 3) return
  })()
  // Until it stands at the end: what is appended before is not for it.
  await soon(async () => {
    await others.append(10)
    expect(seen.length).toBeGreaterThan(0)
  })
  await others.appendMany([20, 30, 40])
  await following
  expect(seen[0]).toBe(10)
})

it('gives every entry to each group, in order where one works at a time, and counts how far it is behind', async () => {
  const log = hf.log<number>('orders')
  await log.appendMany([1, 2, 3])
  // What was published before a group existed is not skipped, unless it says so.
  const late = log.group('late', { from: 'now' })
  await late.open()
  const fourth = await log.append(4)
  const third = log.group('fourth', { from: fourth })
  await third.open()
  const seen = { all: [] as number[], late: [] as number[], third: [] as number[] }
  const other = (await place.connect()).log<number>('orders')
  const both = [log, other].map((one) => one.group('all'))
  await both[0]?.open()
  expect(await log.groups()).toMatchObject([
    { name: 'all', lag: 4, position: 0 },
    { name: 'fourth', lag: 1, position: 3 },
    { name: 'late', lag: 1, position: 3 },
  ])
  for (const group of both) keep(group.process(({ data }) => void seen.all.push(data)))
  keep(late.process(({ data }) => void seen.late.push(data), { concurrency: 10 }))
  keep(third.process(({ data }) => void seen.third.push(data)))
  await log.appendMany(Array.from({ length: 16 }, (_, i) => i + 5))
  await soon(() => expect(Math.min(seen.all.length - 3, seen.late.length, seen.third.length)).toBe(17))
  expect(seen.all).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  expect(seen.third[0]).toBe(4)
  await soon(async () => expect(await log.groups()).toMatchObject([{ lag: 0 }, { lag: 0 }, { lag: 0 }]))
})

it('tries again what failed, keeps the order meanwhile, and parks it for its own group alone', async () => {
  const log = hf.log<string>('orders')
  const seen: string[] = []
  const how = { retry: { attempts: 2, base: 20 } } as const
  const mail = log.group('mail', how)
  const fine: string[] = []
  keep(log.group('fine').process(({ data }) => void fine.push(data)))
  const worker = keep(
    mail.process(({ data }, { attempt }) => {
      seen.push(`${data} ${attempt}`)
      if (data === 'bad') throw new Error('no such address')
    }),
  )
  await log.appendMany(['a', 'bad', 'b'])
  await soon(() => expect(seen).toEqual(['a 1', 'bad 1', 'bad 2', 'b 1']))
  await soon(async () => expect(await mail.inspect()).toMatchObject({ lag: 0, dead: 1, retrying: 0 }))
  const [dead, ...rest] = await mail.deadLetters()
  expect(rest).toEqual([])
  expect(dead).toMatchObject({ data: 'bad', reason: 'failed', error: 'no such address', attempts: 2 })
  await worker.close()
  expect(await mail.redrive({ ids: ['1-1'] })).toBe(0)
  expect(await mail.redrive({ ids: [dead?.id as string] })).toBe(1)
  const again: LogEntry<string>[] = []
  keep(mail.process((entry) => void again.push(entry)))
  await soon(() => expect(again.map(({ data, id }) => [data, id])).toEqual([['bad', dead?.id]]))
  await log.append('c')
  await soon(() => expect(fine).toEqual(['a', 'bad', 'b', 'c']))
  expect(dataOf(await log.read())).toEqual(['a', 'bad', 'b', 'c'])
  await soon(async () => expect(await log.groups()).toMatchObject([{ lag: 0 }, { lag: 0, dead: 0 }]))
})

it('gives batches, and has only what is guilty in one fail for good', async () => {
  const log = hf.log<number>('orders')
  await log.appendMany([1, 2, 3, 4, 5])
  const group = log.group('sums', { retry: { attempts: 3, base: 5, max: 5 } })
  const sizes: number[] = []
  const done: number[] = []
  keep(
    group.processBatches((entries) => {
      sizes.push(entries.length)
      if (entries.some(({ data }) => data === 3)) throw new Error('three')
      done.push(...dataOf(entries))
    }),
  )
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 1 }))
  expect(done).toEqual([1, 2, 4, 5])
  expect(sizes).toEqual([5, 1, 1, 1, 1, 1, 1])
  expect(await group.deadLetters()).toMatchObject([{ data: 3, attempts: 3 }])
})

it('trims what is allowed and done by every group, once it is archived', async () => {
  const archived: number[] = []
  const archive = (entries: readonly LogEntry<number>[]) => void archived.push(...dataOf(entries))
  const log = hf.log<number>('orders', { retention: { maxLength: 2, archive, every: '1h' } })
  await log.appendMany([1, 2, 3, 4, 5])
  const slow = log.group('slow')
  await slow.open()
  const quick = log.group('quick', { from: 'now', dropAfter: '1h' })
  await quick.open()
  expect(await log.trim()).toBe(0)
  const worker = keep(slow.process(({ data }) => (data === 3 ? new Promise(() => {}) : undefined)))
  await soon(async () => expect(await slow.inspect()).toMatchObject({ lag: 3, position: 3 }))
  expect(await log.trim()).toBe(2)
  expect(dataOf(await log.read())).toEqual([3, 4, 5])
  await worker.close({ timeout: 0 })
  // It goes on with what it handed back, though all that it can see is younger.
  const rest: number[] = []
  keep(slow.process(({ data }) => void rest.push(data)))
  await soon(async () => expect(await slow.inspect()).toMatchObject({ lag: 0 }))
  expect(rest).toEqual([3, 4, 5])
  expect(await log.trim()).toBe(1)
  expect(archived).toEqual([1, 2, 3])
})

it('drops what a group has not done only where it says so, and counts that', async () => {
  const log = hf.log<number>('orders', { retention: { maxAge: 1, every: '1h' } })
  const dropping = log.group('dropping', { dropAfter: 1 })
  await dropping.open()
  const last = (await log.appendMany([1, 2, 3])).at(-1) as string
  const after = (await log.append(4)) as string
  expect(after > last).toBe(true)
  await soon(async () => {
    await log.trim()
    expect(await log.read()).toEqual([])
  })
  expect(await dropping.inspect()).toMatchObject({ lag: 0, dropped: 4 })
  const fifth = await log.append(5)
  const seen: number[] = []
  const keeping = log.group('keeping', { from: fifth })
  await keeping.open()
  await soon(async () => expect(await log.trim()).toBe(0))
  keep(dropping.process(({ data }) => void seen.push(data)))
  await soon(() => expect(seen).toEqual([5]))
  await dropping.remove()
  expect((await log.groups()).map(({ name }) => name)).toEqual(['keeping'])
})

it('works on the entries of one key one after another, in all processes and over retries, while others run', async () => {
  const log = hf.log<number>('orders')
  const far = (await place.connect()).log<number>('orders')
  const done = new Map<string, number[]>()
  const running = new Set<string>()
  const together: string[] = []
  let others = () => {}
  const first = new Promise<void>((resolve) => {
    others = resolve
  })
  const handle = async ({ key, data }: LogEntry<number>, { attempt }: HandlerContext) => {
    if (key !== '' && running.has(key)) together.push(key)
    running.add(key)
    // The first of `a` ends after the last of `b`: that does not wait for it.
    if (key === 'a' && data === 0 && attempt === 1) await first
    else await new Promise((resolve) => setImmediate(resolve))
    running.delete(key)
    if (data % 3 === 0 && attempt === 1) throw new Error('once more')
    done.set(key, [...(done.get(key) ?? []), data])
    if (key === 'b' && data === 9) others()
  }
  const keys = ['a', 'b', 'a\0b', '']
  const group = log.group('keyed', { retry: { base: 1, max: 5 } })
  for (let i = 0; i < 10; i++) await log.appendMany([i, i, i, i], { key: (_, n) => keys[n] as string })
  for (const one of [group, far.group('keyed', { retry: { base: 1, max: 5 } })])
    keep(one.process(handle, { concurrency: 4, ordered: 'key' }))
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, held: 0, retrying: 0, dead: 0 }))
  expect(together).toEqual([])
  for (const key of keys.slice(0, 3)) expect(done.get(key)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

it('goes on from any point, and ends its workers when it is removed', async () => {
  const log = hf.log<number>('orders')
  await log.appendMany([1, 2, 3, 4])
  const group = log.group('again')
  await expect(group.seek('first')).rejects.toMatchObject({ option: 'group' })
  const seen: number[] = []
  const errors: unknown[] = []
  let told: unknown
  const handle = ({ data }: LogEntry<number>, { signal }: HandlerContext) => {
    seen.push(data)
    if (data !== 9) return undefined
    return new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        told = signal.reason
        resolve()
      })
    })
  }
  const far = (await place.connect()).log<number>('orders').group('again')
  const workers = [group, far].map((one) => keep(one.process(handle, { onError: (error) => errors.push(error) })))
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0 }))
  expect(await group.seek((await log.read())[2]?.id as string)).toBe(2)
  await soon(() => expect(seen).toEqual([1, 2, 3, 4, 3, 4]))
  expect(await group.seek(new Date(0))).toBe(4)
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, position: 4 }))
  expect(seen.slice(6)).toEqual([1, 2, 3, 4])
  await log.append(9)
  await soon(() => expect(seen).toContain(9))
  await group.remove()
  await soon(() => expect(told).toMatchObject({ code: 'LOG_GROUP_REMOVED', group: 'again' }))
  await soon(() => expect(errors.filter((error) => error === told)).toHaveLength(1))
  await soon(() => expect(errors).toEqual(workers.map(() => expect.objectContaining({ code: 'LOG_GROUP_REMOVED' }))))
  await Promise.all(workers.map((worker) => worker.close()))
  // None has made it anew.
  expect(await log.groups()).toEqual([])
  await group.open()
  expect(await group.inspect()).toMatchObject({ lag: 5 })
})

it('takes any name of a log and a group, and keeps them apart', async () => {
  const names = ['', '{', '}:entries', 'a', 'a:group', '*', '\n', 'Ünal 🎭', 'x'.repeat(512)]
  await Promise.all(names.map((name, i) => hf.log(name).append(i)))
  for (const [i, name] of names.entries()) expect(dataOf(await hf.log(name).read())).toEqual([i])
  const log = hf.log<number>('a')
  await Promise.all(names.map((name) => log.group(name).open()))
  expect((await log.groups()).map(({ name }) => name).sort()).toEqual([...names].sort())
})
