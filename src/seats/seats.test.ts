import { describe, expect, it } from 'vitest'
import { testNamespace } from '../testing/index.ts'
import { Box, changesOfKind, SMALL, statesOf } from './box.fixture.ts'
import type { HoldOptions } from './options.ts'

const box = new Box()

describe('create', () => {
  it('opens an event once, and says so to whoever comes with the same layout', async () => {
    const hf = await box.connect()
    const night = await box.night(SMALL, hf)
    const before = await night.map()
    await night.hold({ customer: 'ann', seats: ['A-1-1'] })
    expect(await hf.seats('night').create({ ...SMALL })).toMatchObject({
      status: 'exists',
      version: before.version + 1,
    })
    expect(await statesOf(night, ['A-1-1'])).toEqual(['held'])
  })

  it('refuses another layout, price, limit or currency for an event that exists', async () => {
    const night = await box.night()
    const [first, ...others] = SMALL.sections
    for (const other of [
      { ...SMALL, currency: 'USD' },
      { ...SMALL, perCustomer: 9 },
      { ...SMALL, sections: others },
      { ...SMALL, sections: [{ ...first!, price: 5000 }, ...others] },
      { ...SMALL, blocked: ['A-1-1'] },
    ])
      await expect(night.create(other)).rejects.toMatchObject({ code: 'SEATS_EXIST' })
  })

  it('lets one of many processes create, and tells the others that it exists', async () => {
    const hf = await box.connect()
    const results = await Promise.all(Array.from({ length: 20 }, () => hf.seats('night').create(SMALL)))
    expect(results.filter(({ status }) => status === 'created')).toHaveLength(1)
  })

  it('refuses to open a new house over remains of one whose main key is gone', async () => {
    const { night, tag } = await box.unchecked()
    await night.hold({ customer: 'ann', seats: ['A-1-1'] })
    await box.server.command('DEL', tag)
    await expect(night.create(SMALL)).rejects.toMatchObject({ code: 'SEATS_EXIST' })
    await night.remove()
    expect(await night.create(SMALL)).toMatchObject({ status: 'created' })
  })

  it('keeps blocked seats from sale', async () => {
    const night = await box.night({ ...SMALL, blocked: ['B-2-5'] })
    expect(await night.hold({ customer: 'ann', seats: ['B-2-4', 'B-2-5'] })).toMatchObject({
      status: 'taken',
      taken: ['B-2-5'],
    })
    expect(await night.counts()).toMatchObject({ total: 40, free: 39, blocked: 1 })
  })

  it.each([
    ['a price that is no whole number', { sections: [{ name: 'A', rows: 1, seatsPerRow: 1, price: 49.99 }] }],
    ['a price beyond 2^53', { sections: [{ name: 'A', rows: 1, seatsPerRow: 1, price: 2 ** 53 }] }],
    ['a price as text', { sections: [{ name: 'A', rows: 1, seatsPerRow: 1, price: '4999' }] }],
    ['a house worth more than 2^53', { sections: [{ name: 'A', rows: 9, seatsPerRow: 9, price: 2 ** 50 }] }],
    ['two sections of one name', { sections: [SMALL.sections[0], SMALL.sections[0]] }],
    ['no sections', { sections: [] }],
    ['a section without rows', { sections: [{ name: 'A', rows: 0, seatsPerRow: 1, price: 1 }] }],
    ['a currency that is none', { currency: 'euro' }],
    ['a limit of nothing', { perCustomer: 0 }],
    ['a blocked seat that does not exist', { blocked: ['Z-1-1'] }],
    ['an option that does not exist', { perCustomr: 8 }],
  ])('throws ConfigError for %s', async (_, wrong) => {
    const night = (await box.connect()).seats('night')
    await expect(night.create({ ...SMALL, ...wrong } as never)).rejects.toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})

describe('hold', () => {
  it('takes all seats of a request or none', async () => {
    const night = await box.night()
    await night.hold({ customer: 'ann', seats: ['A-1-2'] })
    expect(await night.hold({ customer: 'bob', seats: ['A-1-1', 'A-1-2', 'A-1-3', 'B-1-1'] })).toMatchObject({
      status: 'taken',
      taken: ['A-1-2'],
    })
    expect(await statesOf(night, ['A-1-1', 'A-1-2', 'A-1-3', 'B-1-1'])).toEqual(['free', 'held', 'free', 'free'])
  })

  it('names every seat that somebody else has', async () => {
    const night = await box.night()
    await night.hold({ customer: 'ann', seats: ['A-1-2', 'A-1-3', 'A-3-10'] })
    expect(await night.hold({ customer: 'bob', seats: ['A-1-1', 'A-1-2', 'A-1-3', 'A-1-4', 'A-3-10'] })).toMatchObject({
      taken: ['A-1-2', 'A-1-3', 'A-3-10'],
    })
  })

  it('refuses a request that names a seat twice', async () => {
    const night = await box.night()
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1', 'A-1-1', 'A-1-2'] })).toMatchObject({
      status: 'invalid',
      reason: 'duplicate',
      seat: 'A-1-1',
    })
    expect(await night.counts()).toMatchObject({ free: 40 })
  })

  it('refuses an empty request', async () => {
    const night = await box.night()
    expect(await night.hold({ customer: 'ann', seats: [] })).toMatchObject({ status: 'invalid', reason: 'empty' })
  })

  it('refuses more than 64 seats in one request', async () => {
    const night = await box.night({ currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 65, price: 1 }] })
    const seats = Array.from({ length: 65 }, (_, i) => `A-1-${i + 1}`)
    expect(await night.hold({ customer: 'ann', seats })).toMatchObject({ status: 'invalid', reason: 'too-many' })
    expect(await night.hold({ customer: 'ann', seats: seats.slice(1) })).toMatchObject({ status: 'held' })
  })

  it('refuses seats that do not exist', async () => {
    const night = await box.night()
    for (const seat of ['A-4-1', 'A-1-11', 'A-0-1', 'A-1-0', 'A-01-1', 'A-1', 'C-1-1', 'A-1-1.0', 'A--1', '', 'a-1-1'])
      expect(await night.hold({ customer: 'ann', seats: ['A-1-1', seat] })).toMatchObject({
        status: 'invalid',
        reason: 'unknown-seat',
        seat,
      })
  })

  it('has an owner, who is all that may confirm by its id', async () => {
    const night = await box.night()
    const hold = await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })
    expect(await night.confirm(hold.id)).toMatchObject({ status: 'confirmed', customer: 'ann' })
    for (const customer of [undefined, '', 7, null])
      await expect(night.hold({ customer, seats: ['A-1-2'] } as never)).rejects.toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', option: 'customer' }),
      )
  })

  it('answers the same request with the same id as it did first', async () => {
    const night = await box.night()
    const request: HoldOptions = { id: 'h', customer: 'ann', seats: ['A-1-1', 'A-1-2'], for: '5m' }
    const first = await night.hold(request)
    expect(first).toMatchObject({ status: 'held', repeated: false, amount: 9998, currency: 'EUR' })
    const again = await night.hold(request)
    expect(again).toEqual({ ...first, repeated: true })
    expect(await night.counts()).toMatchObject({ held: 2 })
  })

  it('answers a repeat as it did first, and says what has become of the hold', async () => {
    const night = await box.night()
    for (const [id, seat, end, ended] of [
      ['h1', 'A-1-1', () => night.confirm('h1'), 'confirmed'],
      ['h2', 'A-1-2', () => night.release('h2'), 'released'],
    ] as const) {
      const request = { id, customer: 'ann', seats: [seat] }
      const first = await night.hold(request)
      await end()
      expect(await night.hold(request)).toEqual({ ...first, repeated: true, ended })
    }
  })

  it('refuses an id that stands for another request', async () => {
    const night = await box.night()
    await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })
    for (const other of [
      { customer: 'bob', seats: ['A-1-1'] },
      { customer: 'ann', seats: ['A-1-2'] },
      { customer: 'ann', seats: ['A-1-1', 'A-1-2'] },
    ])
      expect(await night.hold({ id: 'h', ...other })).toMatchObject({ status: 'invalid', reason: 'id-reused' })
    expect(await night.counts()).toMatchObject({ held: 1 })
  })

  it('never overwrites a hold of the same customer', async () => {
    const night = await box.night()
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1', 'A-1-2'] })
    await night.hold({ id: 'h2', customer: 'ann', seats: ['A-1-3'] })
    await night.release('h2')
    expect(await night.confirm('h1')).toMatchObject({ status: 'confirmed', seats: ['A-1-1', 'A-1-2'] })
    expect(await night.counts()).toMatchObject({ held: 0, sold: 2 })
  })

  it('never turns a taken seat free by taking it again', async () => {
    const night = await box.night()
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] })
    for (let i = 0; i < 3; i++) {
      expect(await night.hold({ customer: 'bob', seats: ['A-1-1'] })).toMatchObject({ status: 'taken' })
      expect(await statesOf(night, ['A-1-1'])).toEqual(['held'])
    }
  })

  it('counts what a customer holds and owns towards the limit, and gives it back with the seats', async () => {
    const night = await box.night({ ...SMALL, perCustomer: 3 })
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] })
    await night.confirm('h1')
    await night.hold({ id: 'h2', customer: 'ann', seats: ['A-1-2'] })
    expect(await night.hold({ customer: 'ann', seats: ['A-1-3', 'A-1-4'] })).toMatchObject({
      status: 'limit',
      limit: 3,
      remaining: 1,
    })
    await night.release('h2')
    expect(await night.hold({ customer: 'ann', seats: ['A-1-3', 'A-1-4'] })).toMatchObject({ status: 'held' })
    expect(await night.hold({ customer: 'bob', seats: ['A-1-5'] })).toMatchObject({ status: 'held' })
  })

  it('counts the seats of a hold that ran out no longer, in the very call that finds it due', async () => {
    const night = await box.night({ ...SMALL, perCustomer: 2 })
    await night.hold({ customer: 'ann', seats: ['A-1-1', 'A-1-2'], for: 1 })
    await expect
      .poll(() => night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1', 'A-1-2'] }))
      .toMatchObject({
        status: 'held',
      })
  })

  it('says no-event where there is none, and makes none', async () => {
    const hf = await box.connect()
    const night = hf.seats('nowhere')
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'no-event' })
    expect(await night.confirm('h')).toMatchObject({ status: 'gone', reason: 'no-event' })
    expect(await night.release('h')).toMatchObject({ status: 'gone' })
    expect(await night.map()).toMatchObject({ status: 'no-event', seats: [] })
    expect(await night.counts()).toMatchObject({ status: 'no-event', total: 0 })
    expect(await night.verify()).toMatchObject({ ok: false })
    expect(await night.create(SMALL)).toMatchObject({ status: 'created' })
  })

  it('finds seats by the layout of an event that another process made anew', async () => {
    const namespace = testNamespace('seats')
    const [one, two] = [await box.connect({ namespace }), await box.connect({ namespace })]
    await one.seats('night').create(SMALL)
    await two.seats('night').hold({ customer: 'ann', seats: ['B-1-1'] })
    await one.seats('night').remove()
    expect(await two.seats('night').hold({ customer: 'ann', seats: ['B-1-1'] })).toMatchObject({ status: 'no-event' })
    await one.seats('night').create(SMALL)
    await two.seats('night').map()
    await one.seats('night').remove()
    await one.seats('night').create({ ...SMALL, sections: SMALL.sections.slice(1) })
    const night = two.seats('night')
    expect(await night.hold({ id: 'h', customer: 'ann', seats: ['B-1-1'] })).toMatchObject({ status: 'held' })
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'invalid' })
    await one.seats('night').remove()
    await one.seats('night').create(SMALL)
    expect(await night.hold({ customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ status: 'held' })
    await one.seats('night').remove()
    await one.seats('night').create({ ...SMALL, sections: SMALL.sections.slice(1) })
    expect((await night.map()).seats[0]).toEqual({ id: 'B-1-1', state: 'free', section: 'B', price: 2500 })
  })

  it.each([
    ['seats that are no list', { customer: 'ann', seats: 'A-1-1' }],
    ['a seat that is no text', { customer: 'ann', seats: [7] }],
    ['an empty id', { id: '', customer: 'ann', seats: ['A-1-1'] }],
    ['half a surrogate pair', { customer: '\ud800', seats: ['A-1-1'] }],
    ['no time at all', { customer: 'ann', seats: ['A-1-1'], for: 0 }],
    ['a time beyond a week', { customer: 'ann', seats: ['A-1-1'], for: '8d' }],
    ['an option that does not exist', { customer: 'ann', seats: ['A-1-1'], ttl: 5 }],
  ])('throws ConfigError for %s', async (_, wrong) => {
    const night = (await box.connect()).seats('night')
    await expect(night.hold(wrong as never)).rejects.toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})

describe('confirm', () => {
  it('sells once, and answers a repeat with the payment that bought', async () => {
    const night = await box.night()
    await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1', 'B-1-1'] })
    const first = await night.confirm('h', { payment: 'pi_1' })
    expect(first).toMatchObject({
      status: 'confirmed',
      seats: ['A-1-1', 'B-1-1'],
      payment: 'pi_1',
      amount: 7499,
      durable: false,
    })
    expect(await night.confirm('h', { payment: 'pi_2' })).toEqual(first)
    expect(await night.counts()).toMatchObject({ sold: 2, held: 0 })
  })

  it('refuses a payment that comes after the end, though nobody has swept', async () => {
    const night = await box.night()
    const hold = await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'], for: 1 })
    await box.serverReaches(hold.expiresAtMs)
    expect(await night.confirm('h', { payment: 'late' })).toMatchObject({ status: 'expired', seats: ['A-1-1'] })
    expect(await statesOf(night, ['A-1-1'])).toEqual(['free'])
  })

  it('never takes the seats of the next owner when a late payment comes', async () => {
    const night = await box.night()
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'], for: 1 })
    await expect
      .poll(() => night.hold({ id: 'h2', customer: 'bob', seats: ['A-1-1'] }))
      .toMatchObject({ status: 'held' })
    expect(await night.confirm('h1', { payment: 'late' })).toMatchObject({ status: 'expired' })
    expect(await night.confirm('h2', { payment: 'pi' })).toMatchObject({ status: 'confirmed', customer: 'bob' })
  })

  it('says gone for a hold that was never made or was released', async () => {
    const night = await box.night()
    await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })
    await night.release('h')
    expect(await night.confirm('h')).toMatchObject({ status: 'gone', reason: 'released' })
    expect(await night.confirm('never')).toMatchObject({ status: 'gone', reason: 'unknown' })
  })
})

describe('release', () => {
  it('gives the seats back at once, and a repeat changes nothing', async () => {
    const night = await box.night()
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] })
    expect(await night.release('h1')).toEqual({ status: 'released', id: 'h1', seats: ['A-1-1'] })
    await night.hold({ id: 'h2', customer: 'bob', seats: ['A-1-1'] })
    expect(await night.release('h1')).toMatchObject({ status: 'released' })
    expect(await statesOf(night, ['A-1-1'])).toEqual(['held'])
  })

  it('never gives back what is sold', async () => {
    const night = await box.night()
    await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })
    await night.confirm('h')
    expect(await night.release('h')).toMatchObject({ status: 'sold' })
    expect(await statesOf(night, ['A-1-1'])).toEqual(['sold'])
  })

  it('says gone for a hold that was never made, and expired for one that ran out', async () => {
    const night = await box.night()
    await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'], for: 1 })
    await changesOfKind(night, 'expired', 1)
    expect(await night.release('h')).toMatchObject({ status: 'expired' })
    expect(await night.release('never')).toMatchObject({ status: 'gone' })
  })
})

describe('pause', () => {
  it('stops holds and sales, lets holds end, and goes on', async () => {
    const night = await box.night()
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] })
    await night.hold({ id: 'h2', customer: 'ann', seats: ['A-1-2'] })
    await night.hold({ id: 'h3', customer: 'ann', seats: ['A-1-3'] })
    await night.confirm('h3')
    expect(await night.pause()).toEqual({ status: 'paused' })
    expect(await night.pause()).toEqual({ status: 'paused' })
    expect(await night.hold({ customer: 'bob', seats: ['A-1-4'] })).toMatchObject({ status: 'paused' })
    expect(await night.confirm('h1')).toMatchObject({ status: 'paused' })
    expect(await night.confirm('h3')).toMatchObject({ status: 'confirmed' })
    expect(await night.release('h2')).toMatchObject({ status: 'released' })
    expect(await night.map()).toMatchObject({ status: 'paused' })
    expect(await night.resume()).toEqual({ status: 'open' })
    expect(await night.confirm('h1')).toMatchObject({ status: 'confirmed' })
  })
})

it('keeps events apart, and any text may name one', async () => {
  const hf = await box.connect()
  const names = ['', '{}', '{a}b', 'a\nb', 'night:log', 'Nächte 🎭', '*', '%', 'a b']
  for (const [i, name] of names.entries()) {
    const sections = [{ name: `{${name}}-§-1`, rows: 1, seatsPerRow: 9, price: 100 }]
    const night = await box.night({ currency: 'EUR', sections }, hf, name)
    const seat = `{${name}}-§-1-1-${(i % 9) + 1}`
    const id = `hold ${name}|🎟`
    expect(await night.hold({ id, customer: `${name}|7|Ünal 🎭`, seats: [seat] })).toMatchObject({ status: 'held' })
    expect(await night.confirm(id, { payment: `|pay|${name}` })).toMatchObject({
      status: 'confirmed',
      seats: [seat],
      customer: `${name}|7|Ünal 🎭`,
      payment: `|pay|${name}`,
    })
  }
  for (const name of names) expect(await hf.seats(name).counts()).toMatchObject({ sold: 1, total: 9 })
})

it('carries the largest price without losing a cent', async () => {
  const price = Number.MAX_SAFE_INTEGER - 1
  const night = await box.night({ currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 1, price }] })
  await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })
  expect(await night.confirm('h')).toMatchObject({ amount: price })
})

it('refuses a durability that it does not know, of the seats and of one sale', async () => {
  const night = await box.night()
  const hf = await box.connect()
  for (const durability of ['x', '', 1, null]) {
    const refused = expect.objectContaining({ code: 'CONFIG_INVALID', option: 'durability' })
    expect(() => hf.seats('night', { durability } as never)).toThrow(refused)
    await expect(night.confirm('h', { durability } as never)).rejects.toEqual(refused)
  }
})

it('says false for a sale that asks for no durability, and on a server without a replica', async () => {
  const night = await box.night()
  await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })
  expect(await night.confirm('h')).toMatchObject({ status: 'confirmed', durable: false })
  expect(await night.confirm('h', { durability: 'replica' })).toMatchObject({ status: 'confirmed', durable: false })
})
