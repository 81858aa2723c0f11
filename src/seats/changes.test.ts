import { expect, it } from 'vitest'
import { testNamespace } from '../testing/index.ts'
import { Box, SMALL } from './box.fixture.ts'
import type { SeatChange } from './outcomes.ts'
import type { Seats } from './seats.ts'

const box = new Box()

async function take(changes: AsyncGenerator<SeatChange, void, void>, count: number): Promise<SeatChange[]> {
  const taken: SeatChange[] = []
  for await (const change of changes) if (taken.push(change) === count) break
  return taken
}

const holdOne = (night: Seats, i: number) => night.hold({ id: `h${i}`, customer: 'ann', seats: ['A-1-1'] })

it('tells every change after a version, in order and without a gap', async () => {
  const night = await box.night()
  const { version } = await night.map()
  await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1', 'B-1-2'] })
  await night.confirm('h1')
  const following = take(night.changes({ since: version }), 5)
  await night.hold({ id: 'h2', customer: 'ann', seats: ['A-2-1'], for: 20 })
  await night.pause()
  const changes = await following
  expect(changes.map((change) => change.version - version)).toEqual([1, 2, 3, 4, 5])
  expect(changes.slice(0, 4)).toMatchObject([
    {
      kind: 'held',
      seats: [
        { id: 'A-1-1', state: 'held' },
        { id: 'B-1-2', state: 'held' },
      ],
    },
    {
      kind: 'confirmed',
      seats: [
        { id: 'A-1-1', state: 'sold' },
        { id: 'B-1-2', state: 'sold' },
      ],
    },
    { kind: 'held', seats: [{ id: 'A-2-1', state: 'held' }] },
    { kind: 'paused', seats: [] },
  ])
  expect(changes[4]).toMatchObject({ kind: 'expired', seats: [{ id: 'A-2-1', state: 'free' }] })
  await night.resume()
})

it('names no hold and no customer', async () => {
  const night = await box.night()
  await night.hold({ id: 'secret-hold', customer: 'secret-ann', seats: ['A-1-1'] })
  const changes = await take(night.changes({ since: 0 }), 2)
  expect(JSON.stringify(changes)).not.toContain('secret')
})

it('begins with the creation when asked from 0, and now when not asked', async () => {
  const night = await box.night()
  await holdOne(night, 1)
  expect(await take(night.changes({ since: 0 }), 2)).toMatchObject([{ kind: 'created' }, { kind: 'held' }])
  const changes = night.changes()
  const next = changes.next()
  const { version } = await night.map()
  await night.release('h1')
  expect((await next).value).toMatchObject({ version: version + 1 })
  await changes.return()
})

it('gives many followers the same changes for one read a change', async () => {
  const night = await box.night()
  const { version } = await night.map()
  const followers = Array.from({ length: 100 }, () => take(night.changes({ since: version }), 40))
  await box.server.command('CONFIG', 'RESETSTAT')
  for (let i = 0; i < 20; i++) {
    await holdOne(night, i)
    await night.release(`h${i}`)
  }
  const all = await Promise.all(followers)
  const expected = Array.from({ length: 40 }, (_, i) => version + 1 + i)
  for (const changes of all) expect(changes.map((change) => change.version)).toEqual(expected)
  const stats = String(await box.server.command('INFO', 'commandstats'))
  expect(Number(/cmdstat_xrange:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(250)
})

it('catches up over many pages while changes go on', async () => {
  const night = await box.night()
  const { version } = await night.map()
  for (let i = 0; i < 300; i++) {
    await holdOne(night, i)
    await night.release(`h${i}`)
  }
  const slow = (async () => {
    const seen: number[] = []
    for await (const change of night.changes({ since: version })) {
      seen.push(change.version - version)
      if (seen.length === 800) break
      if (seen.length % 50 === 0) await night.counts()
    }
    return seen
  })()
  for (let i = 300; i < 400; i++) {
    await holdOne(night, i)
    await night.release(`h${i}`)
  }
  expect(await slow).toEqual(Array.from({ length: 800 }, (_, i) => i + 1))
})

it('throws STREAM_LOST for a version that the event has not reached', async () => {
  const night = await box.night()
  const { version } = await night.map()
  await expect(night.changes({ since: version + 1 }).next()).rejects.toMatchObject({ code: 'STREAM_LOST' })
})

it('throws STREAM_LOST for a version that is older than the log kept', async () => {
  const { night, tag } = await box.unchecked()
  const { version } = await night.map()
  for (let i = 0; i < 3; i++) await holdOne(night, i)
  await night.release('h0')
  await box.server.command('XTRIM', `${tag}:log`, 'MAXLEN', 1)
  for (const since of [version, 0])
    await expect(night.changes({ since }).next()).rejects.toMatchObject({ code: 'STREAM_LOST' })
})

it('throws STREAM_LOST to those who follow an event that is removed, and made anew too', async () => {
  const { night } = await box.unchecked()
  const { version } = await night.map()
  const following = night.changes({ since: version }).next()
  await night.counts()
  await night.remove()
  await expect(following).rejects.toMatchObject({ code: 'STREAM_LOST' })
  await night.create(SMALL)
  await holdOne(night, 1)
  await expect(night.changes({ since: version }).next()).rejects.toMatchObject({ code: 'STREAM_LOST' })
})

it('tells a change within a second and a half when its doorbell is lost', async () => {
  const namespace = testNamespace('seats')
  const night = await box.night(SMALL, await box.connect({ namespace }))
  const { version } = await night.map()
  const following = take(night.changes({ since: version }), 1)
  await night.counts()
  const tag = `{${namespace}:seats:night}`
  // What another process would write, without its PUBLISH.
  await box.server.command(
    'XADD',
    `${tag}:log`,
    `${version + 1}-0`,
    'kind',
    'paused',
    'hold',
    '',
    'cells',
    '',
    'at',
    1,
    'by',
    '',
  )
  await box.server.command('HSET', tag, 'version', version + 1)
  const startedMs = performance.now()
  expect(await following).toMatchObject([{ version: version + 1, kind: 'paused' }])
  expect(performance.now() - startedMs).toBeLessThan(1_500)
})

it('tells a change within 100 ms by its doorbell', async () => {
  const hf = await box.connect()
  const night = await box.night(SMALL, hf)
  const changes = night.changes({ since: (await night.map()).version })
  const latencies: number[] = []
  let next = changes.next()
  await holdOne(night, 0)
  await next
  for (let i = 1; i < 20; i++) {
    next = changes.next()
    const startedMs = performance.now()
    await night.release(`h${i - 1}`)
    await next
    latencies.push(performance.now() - startedMs)
    next = changes.next()
    await holdOne(night, i)
    await next
  }
  await changes.return()
  expect(latencies.sort((a, b) => a - b)[10]).toBeLessThan(100)
})

it('goes on by itself when Redis has been away', async () => {
  const { night } = await box.unchecked()
  const { version } = await night.map()
  const following = take(night.changes({ since: version }), 2)
  await holdOne(night, 1)
  await box.server.pause()
  await expect(night.counts()).rejects.toMatchObject({ code: 'TIMEOUT' })
  await box.server.resume()
  await night.release('h1')
  expect(await following).toMatchObject([{ kind: 'held' }, { kind: 'released' }])
})

it('throws the reason of its signal, at once, and leaves nothing behind', async () => {
  const night = await box.night()
  const stop = new AbortController()
  const following = take(night.changes({ signal: stop.signal }), 1)
  await night.counts()
  stop.abort(new Error('enough'))
  await expect(following).rejects.toThrow('enough')
  await expect(night.changes({ signal: stop.signal }).next()).rejects.toThrow('enough')
})

it('ends when the night or the instance is closed', async () => {
  const hf = await box.connect()
  const night = await box.night(SMALL, hf)
  const one = take(night.changes({ since: 0 }), 9)
  await night.counts()
  await night.close()
  expect(await one).toMatchObject([{ kind: 'created' }])
  const other = await box.connect()
  const second = other.seats('night')
  await second.create(SMALL)
  const two = take(second.changes({ since: 0 }), 9)
  await second.counts()
  await other.close()
  expect(await two).toHaveLength(1)
})
