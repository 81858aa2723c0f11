import { describe, expect, it } from 'vitest'
import { Box, changesOfKind, SMALL } from './box.fixture.ts'
import type { Seats } from './seats.ts'

const box = new Box()

/** A night on which all has happened: a seat sold, two held, some released, some run out. */
async function busyNight(): Promise<{ night: Seats; tag: string }> {
  const made = await box.unchecked()
  const { night } = made
  await night.hold({ id: 'sold', customer: 'ann', seats: ['A-1-1', 'A-1-2', 'B-1-1'] })
  await night.confirm('sold', { payment: 'pi_1' })
  await night.hold({ id: 'held', customer: 'bob', seats: ['A-2-1', 'A-2-2'] })
  await night.hold({ id: 'released', customer: 'cat', seats: ['A-3-1'] })
  await night.release('released')
  await night.hold({ id: 'expired', customer: 'cat', seats: ['A-3-2'], for: 1 })
  await changesOfKind(night, 'expired', 1)
  return made
}

describe('verify', () => {
  it('finds nothing wrong with a night on which all has happened', async () => {
    const { night } = await busyNight()
    expect(await night.verify()).toMatchObject({ ok: true, problems: [] })
  })

  it.each([
    ['a seat sold in the map without a hold', (t: Spoil) => t.cell('A-1-5', 's'), /A-1-5/],
    ['a held seat free in the map', (t: Spoil) => t.cell('A-2-1', '.'), /A-2-1 is '\.', and hold 'held' is held/],
    ['a sold seat free in the map', (t: Spoil) => t.cell('B-1-1', '.'), /B-1-1 is '\.', and hold 'sold' is confirmed/],
    ['a letter that is no state', (t: Spoil) => t.cell('A-1-5', 'q'), /A-1-5 is 'q'/],
    [
      'the count of held seats off by one',
      (t: Spoil) => t.redis('HINCRBY', t.tag, 'held', 1),
      /3 seats are counted as held/,
    ],
    [
      'the count of sold seats off by one',
      (t: Spoil) => t.redis('HINCRBY', t.tag, 'sold', -1),
      /2 seats are counted as sold/,
    ],
    ['a limit that was not agreed', (t: Spoil) => t.redis('HSET', t.tag, 'limit', 99), /the limit of a customer is 99/],
    ['no limit', (t: Spoil) => t.redis('HDEL', t.tag, 'limit'), /the limit of a customer is/],
    ['a state that is none', (t: Spoil) => t.redis('HSET', t.tag, 'state', 'zz'), /the event is 'zz'/],
    ['no moment of the next end', (t: Spoil) => t.redis('HDEL', t.tag, 'next'), /field 'next' is missing/],
    [
      'a sale with another payment',
      (t: Spoil) => t.record('sold', (record) => record.replace('pi_1', 'pi_2')),
      /hold 'sold' was bought with another payment/,
    ],
    ['the count of all seats off by one', (t: Spoil) => t.redis('HINCRBY', t.tag, 'seats', 1), /41 seats are counted/],
    [
      "a customer's count off by one",
      (t: Spoil) => t.redis('HINCRBY', t.tag, 'customer:ann', -1),
      /customer 'ann' is counted with 2/,
    ],
    [
      'a count for a customer without seats',
      (t: Spoil) => t.redis('HSET', t.tag, 'customer:eve', 4),
      /customer 'eve' is counted with 4/,
    ],
    [
      'a hold without its deadline',
      (t: Spoil) => t.redis('ZREM', `${t.tag}:due`, 'hold:held'),
      /hold 'held' is held: due at no time/,
    ],
    [
      'a hold with another deadline',
      (t: Spoil) => t.redis('ZINCRBY', `${t.tag}:due`, 5, 'hold:held'),
      /hold 'held' is held: due at/,
    ],
    [
      'a deadline without a hold',
      (t: Spoil) => t.redis('ZADD', `${t.tag}:due`, 9e12, 'hold:ghost'),
      /'hold:ghost' is due/,
    ],
    [
      'a deadline that nobody looks at in time',
      (t: Spoil) => t.redis('HSET', t.tag, 'next', 'inf'),
      /nothing is looked at before/,
    ],
    ['an entry missing in the log', (t: Spoil) => t.dropEntry(2), /the log has a gap/],
    ['the first entry missing in the log', (t: Spoil) => t.dropEntry(0), /the log begins at/],
    ['the last entry missing in the log', (t: Spoil) => t.dropEntry(-1), /the log ends at/],
    [
      'a version that is not the last entry of the log',
      (t: Spoil) => t.redis('HINCRBY', t.tag, 'version', 1),
      /the log ends at/,
    ],
    [
      'a seat in two holds',
      (t: Spoil) => t.record('held', (r) => r.replace('11-12', '11-11,1-1')),
      /A-1-2 is in two holds/,
    ],
    [
      'a sold seat whose hold says held',
      (t: Spoil) => t.record('sold', (r) => r.replace(/^s/, 'h')),
      /hold 'sold' is held, and the log says confirmed/,
    ],
    [
      'a sold hold without a record',
      (t: Spoil) => t.redis('HDEL', t.tag, 'hold:sold'),
      /hold 'sold' is confirmed in the log, and has no record/,
    ],
    [
      'a record that the log knows nothing of',
      (t: Spoil) => t.copyRecord('held', 'ghost'),
      /hold 'ghost' has a record, and is not in the log/,
    ],
    [
      'a record of another customer',
      (t: Spoil) => t.record('held', (r) => r.replace('bob', 'eve')),
      /hold 'held' is of another customer/,
    ],
    [
      'a record that cannot be read',
      (t: Spoil) => t.redis('HSET', t.tag, 'hold:held', 'junk'),
      /hold 'held': its record cannot be read/,
    ],
    [
      'the member of due that stays missing',
      (t: Spoil) => t.redis('ZREM', `${t.tag}:due`, ''),
      /the member that stays is missing/,
    ],
    ['the map missing', (t: Spoil) => t.redis('DEL', `${t.tag}:map`), /the map has 0 cells/],
    ['the log missing', (t: Spoil) => t.redis('DEL', `${t.tag}:log`), /the log ends at nothing/],
    ['the layout missing', (t: Spoil) => t.redis('DEL', `${t.tag}:layout`), /:layout is missing/],
    ['another layout', (t: Spoil) => t.otherLayout(), /is not the layout/],
    ['the map cut short', (t: Spoil) => t.shortMap(), /the map has 43 cells, and the layout 44/],
    ['a bar of the map moved', (t: Spoil) => t.redis('SETRANGE', `${t.tag}:map`, 10, '.'), /cell 10 of the map/],
  ])('reports %s', async (_, spoil, expected) => {
    const { night, tag } = await busyNight()
    await spoil(new Spoil(tag))
    const { ok, problems } = await night.verify()
    expect(ok).toBe(false)
    expect(problems.join('\n')).toMatch(expected)
  })

  it('is exact while the sale goes on beside it', async () => {
    const sections = [{ name: 'A', rows: 100, seatsPerRow: 50, price: 100 }]
    const night = await box.night({ currency: 'EUR', sections })
    let on = true
    const buyers = Array.from({ length: 12 }, async (_, buyer) => {
      for (let i = 0; on; i++) {
        const seats = [`A-${1 + ((buyer * 7 + i) % 100)}-${1 + (i % 50)}`]
        const hold = await night.hold({ customer: `buyer ${i % 5}`, seats, for: i % 3 === 0 ? 2 : '1m' })
        if (hold.status !== 'held') continue
        if (i % 3 === 1) await night.confirm(hold.id)
        else if (i % 3 === 2) await night.release(hold.id)
      }
    })
    try {
      for (let i = 0; i < 25; i++) expect(await night.verify()).toMatchObject({ ok: true, problems: [] })
    } finally {
      on = false
      await Promise.all(buyers)
    }
  })

  it('copes with a log whose beginning was trimmed away, as far as it is kept', async () => {
    const { night, tag } = await box.unchecked({ ...SMALL, keepChanges: 100 })
    await night.hold({ id: 'old', customer: 'ann', seats: ['A-1-1'] })
    for (let i = 0; i < 200; i++) {
      await night.hold({ id: `h${i}`, customer: 'bob', seats: ['A-1-2'], for: i === 199 ? 1 : '1m' })
      if (i < 199) await night.release(`h${i}`)
    }
    const length = Number(await box.server.command('XLEN', `${tag}:log`))
    await expect.poll(() => night.counts()).toMatchObject({ held: 1 })
    expect(length).toBeGreaterThan(300)
    expect(Number(await box.server.command('XLEN', `${tag}:log`))).toBeLessThan(300)
    expect(await night.verify()).toMatchObject({ ok: true, problems: [] })
    const spoil = new Spoil(tag)
    await spoil.cell('A-1-1', '.')
    expect((await night.verify()).problems.join()).toMatch(/A-1-1 is '\.', and hold 'old' is held/)
  })
})

/** Plants one thing that is wrong, with a client that shares nothing with the library. */
class Spoil {
  readonly tag: string

  constructor(tag: string) {
    this.tag = tag
  }

  redis(...command: (string | number)[]): Promise<unknown> {
    return box.server.command(...command)
  }

  cell(seat: string, letter: string): Promise<unknown> {
    const [section, row, place] = seat.split('-')
    const at = section === 'A' ? (Number(row) - 1) * 11 : 33 + (Number(row) - 1) * 6
    return this.redis('SETRANGE', `${this.tag}:map`, at + Number(place) - 1, letter)
  }

  async record(hold: string, change: (record: string) => string): Promise<unknown> {
    const record = String(await this.redis('HGET', this.tag, `hold:${hold}`))
    expect(change(record)).not.toBe(record)
    return this.redis('HSET', this.tag, `hold:${hold}`, change(record))
  }

  async copyRecord(from: string, to: string): Promise<unknown> {
    const record = String(await this.redis('HGET', this.tag, `hold:${from}`))
    return this.redis('HSET', this.tag, `hold:${to}`, record)
  }

  async dropEntry(index: number): Promise<unknown> {
    const entries = (await this.redis('XRANGE', `${this.tag}:log`, '-', '+')) as [string][]
    return this.redis('XDEL', `${this.tag}:log`, entries.at(index)![0])
  }

  async otherLayout(): Promise<unknown> {
    const json = String(await this.redis('GET', `${this.tag}:layout`))
    return this.redis('SET', `${this.tag}:layout`, json.replace('4999', '4998'))
  }

  async shortMap(): Promise<unknown> {
    const map = String(await this.redis('GET', `${this.tag}:map`))
    return this.redis('SET', `${this.tag}:map`, map.slice(0, -1))
  }
}
