import type { Holdfast, SeatChange, Seats } from 'holdfast'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import type { EventOptions } from '../../src/seats/options.ts'
import { Place } from './place.ts'

const SMALL: EventOptions = {
  currency: 'EUR',
  perCustomer: 4,
  sections: [
    { name: 'A', rows: 3, seatsPerRow: 10, price: 4999 },
    { name: 'B', rows: 2, seatsPerRow: 5, price: 2500 },
  ],
}
/** So many events lie on every one of three servers, but once in a million runs. */
const EVENTS = Array.from({ length: 36 }, (_, i) => `night ${i}`)

const place = new Place({ seats: true })
const nights: Seats[] = []
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})
afterEach(async () => {
  for (const { ok, problems } of await Promise.all(nights.splice(0).map((night) => night.verify())))
    expect({ ok, problems }).toEqual({ ok: true, problems: [] })
})

/** An event that is open for sale, and whose books must be right when the test ends. */
async function open(id = 'night', options: EventOptions = SMALL): Promise<Seats> {
  const night = hf.seats(id)
  expect(await night.create(options)).toMatchObject({ status: 'created' })
  nights.push(night)
  return night
}

const openAll = (): Promise<Seats[]> => Promise.all(EVENTS.map((id) => open(id)))

async function stateOf(night: Seats, seat: string): Promise<string | undefined> {
  return (await night.map()).seats.find(({ id }) => id === seat)?.state
}

async function take(changes: AsyncGenerator<SeatChange, void, void>, count: number): Promise<SeatChange[]> {
  const taken: SeatChange[] = []
  for await (const change of changes) if (taken.push(change) === count) break
  return taken
}

/** The hash tags of the keys of seats on each server. */
const tagsByServer = (): Promise<readonly ReadonlySet<string>[]> =>
  Promise.all(
    place.all.map(async (witness) => new Set((await witness.keys(`*${place.namespace}:seats:*`)).map(hashTag))),
  )

/** Every event on one server, and, where there are several, events on each. */
async function expectSpread(count: number): Promise<void> {
  const byServer = await tagsByServer()
  expect(byServer.reduce((sum, tags) => sum + tags.size, 0)).toBe(count)
  expect(new Set(byServer.flatMap((tags) => [...tags])).size).toBe(count)
  for (const tags of byServer) expect(tags.size).toBeGreaterThan(0)
}

describe('events', () => {
  it('lie each on one server with all their keys, and spread over all servers', async () => {
    const all = await openAll()
    await Promise.all(all.map((night) => night.hold({ customer: 'ann', seats: ['A-1-1'] })))
    await expectSpread(EVENTS.length)
    const keys = await place.keys(`*${place.namespace}:seats:*`)
    expect(keys).toHaveLength(5 * EVENTS.length)
    for (const key of keys) expect(await place.command('EXISTS', key)).toBe(1)
    // One in all: Lua, the log, the map and the deadlines of one event can change in one step.
    expect((await hf.seats('night 0').counts()).held).toBe(1)
  })

  it('sell, count, end and are told of, each by itself', async () => {
    const all = await openAll()
    const other = await place.connect()
    await Promise.all(
      all.map(async (night, i) => {
        const theirs = other.seats(night.id)
        const { version } = await theirs.map()
        const following = take(theirs.changes({ since: version }), 4)
        const hold = await night.hold({ id: 'h', customer: `customer ${i}`, seats: ['A-1-1', 'B-2-5'] })
        expect(hold).toMatchObject({ status: 'held', amount: 7499 })
        expect(await theirs.hold({ customer: 'bob', seats: ['A-1-2', 'A-1-1'] })).toMatchObject({
          status: 'taken',
          taken: ['A-1-1'],
        })
        expect(await theirs.confirm('h', { payment: `pi_${i}` })).toMatchObject({
          status: 'confirmed',
          customer: `customer ${i}`,
          payment: `pi_${i}`,
        })
        await night.hold({ id: 'r', customer: 'bob', seats: ['A-3-10'] })
        expect(await theirs.release('r')).toMatchObject({ status: 'released', seats: ['A-3-10'] })
        expect((await following).map(({ version: at, kind }) => [at - version, kind])).toEqual([
          [1, 'held'],
          [2, 'confirmed'],
          [3, 'held'],
          [4, 'released'],
        ])
        expect(await night.counts()).toMatchObject({ total: 40, free: 38, held: 0, sold: 2 })
      }),
    )
  })

  it('may have any name, and stay apart', async () => {
    const names = [
      ...[
        '',
        ' ',
        '{',
        '}',
        '{}',
        '}{',
        '{a}b',
        'a{b',
        'a}b',
        'a\nb',
        'a\r\nb',
        'a b',
        'ab',
        '*',
        '?',
        '[a]',
        '\\',
        '%',
        '%7B',
      ],
      ...[
        'night',
        'night:',
        'night:log',
        'night:map',
        ':night',
        'Nächte 🎭',
        'Nächte',
        'A',
        'a',
        '\0',
        'x'.repeat(200),
      ],
    ]
    const sectionOf = (name: string) => `§${name.slice(0, 30)}`
    for (const [i, name] of names.entries()) {
      const night = await open(name, {
        currency: 'EUR',
        sections: [{ name: sectionOf(name), rows: 1, seatsPerRow: 30, price: i }],
      })
      const id = `hold ${name}|🎟`
      const seat = `${sectionOf(name)}-1-${(i % 30) + 1}`
      const customer = `${name}|7|Ünal 🎭`
      expect(await night.hold({ id, customer, seats: [seat] })).toMatchObject({ status: 'held', amount: i })
      expect(await night.confirm(id, { payment: `|${name}` })).toMatchObject({ seats: [seat], customer })
    }
    const byServer = await tagsByServer()
    expect(byServer.reduce((sum, tags) => sum + tags.size, 0)).toBe(names.length)
    for (const name of names) expect(await hf.seats(name).counts()).toMatchObject({ sold: 1, total: 30 })
    nights.splice(names.indexOf('night'), 1)
    expect(await hf.seats('night').remove()).toEqual({ status: 'removed' })
    for (const name of names)
      expect((await hf.seats(name).counts()).status).toBe(name === 'night' ? 'no-event' : 'open')
  })

  it('are opened once by whoever comes first, and not with another layout', async () => {
    const others = [hf, await place.connect(), await place.connect()]
    for (const id of EVENTS.slice(0, 6)) {
      const made = await Promise.all(others.map((one) => one.seats(id).create(SMALL)))
      expect(made.map(({ status }) => status).sort()).toEqual(['created', 'exists', 'exists'])
      await expect(hf.seats(id).create({ ...SMALL, currency: 'USD' })).rejects.toMatchObject({ code: 'SEATS_EXIST' })
    }
  })

  it('are removed with every key', async () => {
    const all = await openAll()
    nights.length = 0
    await Promise.all(all.map((night) => night.hold({ customer: 'ann', seats: ['A-1-1'] })))
    for (const night of all) expect(await night.remove()).toEqual({ status: 'removed' })
    expect(await place.keys(`*${place.namespace}:seats:*`)).toEqual([])
    expect(await all[0]?.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'no-event' })
  })
})

describe('a hold', () => {
  it('goes to one of many who race for it, from several instances', async () => {
    const all = await openAll()
    const other = await place.connect()
    await Promise.all(
      all.slice(0, 12).map(async (night) => {
        const racers = Array.from({ length: 16 }, (_, i) =>
          (i % 2 === 0 ? night : other.seats(night.id)).hold({
            customer: `c${i}`,
            seats: ['A-2-5', `B-1-${(i % 5) + 1}`],
          }),
        )
        const outcomes = (await Promise.all(racers)).map(({ status }) => status)
        expect(outcomes.filter((status) => status === 'held')).toHaveLength(1)
        expect(outcomes.filter((status) => status === 'taken')).toHaveLength(15)
      }),
    )
  })

  it('is the same for the same id, and refused for another request under that id', async () => {
    const night = await open()
    const request = { id: 'h', customer: 'ann', seats: ['A-1-1', 'A-1-2'] }
    const first = await night.hold(request)
    const other = await place.connect()
    expect(await other.seats('night').hold(request)).toEqual({ ...first, repeated: true })
    expect(await night.hold({ ...request, seats: ['A-1-3'] })).toMatchObject({ status: 'invalid', reason: 'id-reused' })
    const sold = await night.confirm('h', { payment: 'pi_1' })
    expect(await other.seats('night').confirm('h', { payment: 'pi_2' })).toEqual(sold)
    expect(await night.hold(request)).toMatchObject({ repeated: true, ended: 'confirmed' })
    expect(await night.release('h')).toMatchObject({ status: 'sold' })
  })

  it('counts towards the limit of its customer, across instances and in its own event only', async () => {
    const [one, two] = [await open('one'), await open('two')]
    const other = await place.connect()
    await one.hold({ id: 'h', customer: 'ann', seats: ['A-1-1', 'A-1-2', 'A-1-3'] })
    expect(await other.seats('one').hold({ customer: 'ann', seats: ['A-1-4', 'A-1-5'] })).toMatchObject({
      status: 'limit',
      limit: 4,
      remaining: 1,
    })
    expect(await two.hold({ customer: 'ann', seats: ['A-1-1', 'A-1-2', 'A-1-3', 'A-1-4'] })).toMatchObject({
      status: 'held',
    })
    await one.release('h')
    expect(await other.seats('one').hold({ customer: 'ann', seats: ['A-1-4', 'A-1-5'] })).toMatchObject({
      status: 'held',
    })
  })

  it('runs out on every server, also when its process is gone, and its seats are free again', async () => {
    const all = await openAll()
    const gone = await place.connect()
    const holds = await Promise.all(
      all.map((night) => gone.seats(night.id).hold({ id: 'h', customer: 'ann', seats: ['A-1-1'], for: 50 })),
    )
    await gone.close()
    expect(holds.every(({ status }) => status === 'held')).toBe(true)
    await Promise.all(
      all.map(async (night) => {
        await vi.waitFor(async () => expect(await stateOf(night, 'A-1-1')).toBe('free'), { timeout: 10_000 })
        expect(await night.confirm('h', { payment: 'late' })).toMatchObject({ status: 'expired' })
        expect(await night.hold({ customer: 'bob', seats: ['A-1-1'] })).toMatchObject({ status: 'held' })
      }),
    )
  })

  it('is refused as invalid, without an event and while paused', async () => {
    const night = await open()
    expect(await night.hold({ customer: 'ann', seats: [] })).toMatchObject({ status: 'invalid', reason: 'empty' })
    expect(await night.hold({ customer: 'ann', seats: ['Z-1-1'] })).toMatchObject({ reason: 'unknown-seat' })
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1', 'A-1-1'] })).toMatchObject({ reason: 'duplicate' })
    expect(await hf.seats('nowhere').hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'no-event' })
    expect(await night.pause()).toEqual({ status: 'paused' })
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'paused' })
    expect(await night.resume()).toEqual({ status: 'open' })
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'held' })
    await expect(night.hold({ customer: '', seats: ['A-1-1'] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('changes', () => {
  it('come by the doorbell from another instance, on whichever server the event is', async () => {
    const other = await place.connect()
    const medians = await Promise.all(
      EVENTS.slice(0, 9).map(async (id) => {
        const night = await open(id)
        const changes = other.seats(id).changes({ since: (await night.map()).version })
        const latencies: number[] = []
        for (let i = 0; i < 8; i++) {
          const next = changes.next()
          const startedMs = performance.now()
          await (i % 2 === 0
            ? night.hold({ id: `h${i}`, customer: 'ann', seats: ['A-1-1'] })
            : night.release(`h${i - 1}`))
          expect((await next).value).toMatchObject({ kind: i % 2 === 0 ? 'held' : 'released' })
          latencies.push(performance.now() - startedMs)
        }
        await changes.return()
        return latencies.sort((a, b) => a - b)[4] as number
      }),
    )
    // Without the doorbell each would come by the look once a second.
    for (const median of medians) expect(median).toBeLessThan(500)
  })

  it('are the same for many followers, from the beginning, and end with the instance', async () => {
    const night = await open()
    const other = await place.connect()
    const followers = [hf, other, other, other].map((one) => take(one.seats('night').changes({ since: 0 }), 9))
    for (let i = 0; i < 4; i++) {
      await night.hold({ id: `h${i}`, customer: 'ann', seats: ['A-1-1'] })
      await night.release(`h${i}`)
    }
    const [first, ...rest] = await Promise.all(followers)
    expect(first?.map(({ kind }) => kind)).toEqual(['created', ...Array(4).fill(['held', 'released']).flat()])
    for (const same of rest) expect(same).toEqual(first)
    const last = take(other.seats('night').changes({ since: 0 }), 99)
    await vi.waitFor(async () => expect((await night.counts()).version).toBeGreaterThan(0))
    await other.close()
    expect((await last).length).toBeLessThanOrEqual(9)
    const { version } = await night.map()
    await expect(night.changes({ since: version + 1 }).next()).rejects.toMatchObject({ code: 'STREAM_LOST' })
  })
})

it('finds what is wrong with the books of an event, wherever it lies', async () => {
  const all = await openAll()
  nights.length = 0
  const keys = await place.keys(`*${place.namespace}:seats:*:map`)
  expect(keys).toHaveLength(EVENTS.length)
  for (const key of keys) await place.command('SETRANGE', key, 0, 's')
  for (const night of all) expect(await night.verify()).toMatchObject({ ok: false })
})
