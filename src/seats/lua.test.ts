import { describe, expect, it } from 'vitest'
import { Box, SMALL, statesOf } from './box.fixture.ts'
import { holdField } from './keys.ts'
import * as scripts from './lua.generated.ts'
import type { Seats } from './seats.ts'

const box = new Box()

/** A server that is full: it refuses every write that does not free. */
async function whileFull(work: () => Promise<void>): Promise<void> {
  await box.server.command('CONFIG', 'SET', 'maxmemory', '1mb')
  try {
    await work()
  } finally {
    await box.server.command('CONFIG', 'SET', 'maxmemory', '0')
  }
}

async function nightWithHolds(): Promise<Seats> {
  const night = await box.night()
  await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1', 'A-1-2'] })
  await night.hold({ id: 'h2', customer: 'bob', seats: ['A-1-3'] })
  return night
}

describe('a full server', () => {
  it('refuses to open an event and to hold seats, and nothing has happened', async () => {
    const hf = await box.connect()
    const night = await box.night(SMALL, hf)
    await whileFull(async () => {
      await expect(hf.seats('other').create(SMALL)).rejects.toMatchObject({ code: 'SERVER_FULL', retryable: true })
      await expect(night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })).rejects.toMatchObject({
        code: 'SERVER_FULL',
      })
    })
    expect(await hf.seats('other').counts()).toMatchObject({ status: 'no-event' })
    expect(await night.hold({ id: 'h', customer: 'ann', seats: ['A-1-1'] })).toMatchObject({ repeated: false })
  })

  it('sells what is held', async () => {
    const night = await nightWithHolds()
    await whileFull(async () => {
      expect(await night.confirm('h1', { payment: 'pi_1' })).toMatchObject({ status: 'confirmed' })
    })
  })

  it('gives back what is released', async () => {
    const night = await nightWithHolds()
    await whileFull(async () => {
      expect(await night.release('h1')).toMatchObject({ status: 'released' })
    })
  })

  it('ends holds whose time is over', async () => {
    const night = await nightWithHolds()
    const { expiresAtMs } = await night.hold({ id: 'h3', customer: 'ann', seats: ['A-2-1'], for: 1 })
    await whileFull(async () => {
      await box.serverReaches(expiresAtMs)
      await expect.poll(() => statesOf(night, ['A-2-1'])).toEqual(['free'])
    })
  })

  it('shows the map, the counts, the changes and the books', async () => {
    const night = await nightWithHolds()
    await whileFull(async () => {
      expect(await statesOf(night, ['A-1-1'])).toEqual(['held'])
      expect(await night.counts()).toMatchObject({ held: 3 })
      expect((await night.changes({ since: 0 }).next()).value).toMatchObject({ kind: 'created' })
      expect(await night.verify()).toMatchObject({ ok: true })
    })
  })

  it('stops the sale, goes on with it, and removes the event', async () => {
    const { night } = await box.unchecked()
    await whileFull(async () => {
      expect(await night.pause()).toEqual({ status: 'paused' })
      expect(await night.resume()).toEqual({ status: 'open' })
      expect(await night.remove()).toEqual({ status: 'removed' })
    })
  })
})

describe('the scripts', () => {
  it('go on when the server has forgotten them', async () => {
    const night = await nightWithHolds()
    for (const work of [
      () => night.hold({ id: 'h3', customer: 'ann', seats: ['A-3-1'] }),
      () => night.confirm('h1'),
      () => night.release('h2'),
      () => night.map(),
      () => night.verify(),
      () => night.pause(),
      () => night.resume(),
    ]) {
      await box.server.command('SCRIPT', 'FLUSH')
      await work()
    }
    expect(await night.counts()).toMatchObject({ sold: 2, held: 1 })
  })

  it('load on the server under the name that they were built with', async () => {
    for (const { source } of Object.values(scripts))
      expect(await box.server.command('SCRIPT', 'LOAD', source.lua)).toBe(source.sha)
  })

  it('refuse cells that are out of order, apart from the house, twice, too many or none', async () => {
    const { night, tag } = await box.unchecked()
    const layout = String(await box.server.command('HGET', tag, 'layout'))
    const { source } = scripts.holdScript
    for (const cells of ['5-6,5-5', '5-5,5-5', '3-4,1-2', '9-11', '44-44', '40-50', '6-5', '', 'x', '0-99'])
      expect(
        await box.server.command(
          ...['EVAL', source.lua, 4, tag, `${tag}:map`, `${tag}:due`, `${tag}:log`, holdField('h'), 'customer:ann'],
          ...[cells, 60_000, layout, 'channel'],
        ),
      ).toEqual(['invalid'])
    expect(await night.counts()).toMatchObject({ held: 0 })
  })

  it.each(['', ':map', ':log', ':due'])('never make %s anew when it is gone', async (suffix) => {
    const { night, tag } = await box.unchecked()
    await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] })
    await night.hold({ id: 'h2', customer: 'ann', seats: ['A-1-2'] })
    await box.server.command('DEL', `${tag}${suffix}`)
    const outcomes = await Promise.allSettled([
      ...[night.confirm('h1'), night.release('h2'), night.map(), night.counts(), night.pause(), night.resume()],
      night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] }),
      ...(suffix === ':due' ? [] : [night.hold({ id: 'h3', customer: 'ann', seats: ['A-1-3'] })]),
    ])
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'VALUE_UNREADABLE' })
    if (suffix !== ':due') expect(await box.server.command('EXISTS', `${tag}${suffix}`)).toBe(0)
    expect(await night.verify()).toMatchObject({ ok: false })
  })

  it('leave a hold alone whose seats in the map are not held, and end those behind it', async () => {
    const { night, tag } = await box.unchecked()
    await night.hold({ id: 'odd', customer: 'ann', seats: ['A-1-1'], for: 1 })
    await box.server.command('SETRANGE', `${tag}:map`, 0, 's')
    const { expiresAtMs } = await night.hold({ id: 'behind', customer: 'bob', seats: ['A-1-2'], for: 1 })
    await box.serverReaches(expiresAtMs)
    await expect.poll(() => statesOf(night, ['A-1-1', 'A-1-2'])).toEqual(['sold', 'free'])
  })

  it('forget a hold two days after it ended, and a sold one never', async () => {
    const { night, tag } = await box.unchecked()
    for (const id of ['sold', 'released', 'expired'])
      await night.hold({ id, customer: id, seats: [`A-1-${id.length}`], for: id === 'expired' ? 1 : '1m' })
    await night.confirm('sold')
    await night.release('released')
    await expect.poll(async () => (await night.counts()).held).toBe(0)
    expect(await night.release('expired')).toMatchObject({ status: 'expired' })
    for (const id of ['released', 'expired'])
      expect(Number(await box.server.command('ZSCORE', `${tag}:due`, `hold:${id}`))).toBeGreaterThan(Date.now() + 172e6)
    await box.server.command('ZADD', `${tag}:due`, 1, 'hold:released', 1, 'hold:expired')
    await box.server.command('HSET', tag, 'next', 1)
    await night.hold({ customer: 'dan', seats: ['A-2-1'] })
    expect(await box.server.command('HEXISTS', tag, 'hold:released')).toBe(0)
    expect(await night.confirm('expired')).toMatchObject({ status: 'gone' })
    expect(await night.confirm('sold')).toMatchObject({ status: 'confirmed' })
  })
})

it('writes at each repeat of a sale that is to be durable, and at no other', async () => {
  const { night, tag } = await box.unchecked()
  await night.hold({ id: 'h1', customer: 'ann', seats: ['A-1-1'] })
  await night.confirm('h1')
  const keys = ['', ':map', ':due', ':log'].map((suffix) => tag + suffix)
  const writes = async () =>
    Number(/cmdstat_hset:calls=(\d+)/.exec(String(await box.server.command('INFO', 'commandstats')))?.[1])
  const repeat = async (again: 0 | 1) => {
    const before = await writes()
    const script = scripts.confirmScript.source.lua
    for (let i = 0; i < 100; i++)
      await box.server.command('EVAL', script, keys.length, ...keys, holdField('h1'), '', 'channel', again)
    return (await writes()) - before
  }
  // Processes that look after deadlines write beside it, now and then.
  expect(await repeat(0)).toBeLessThan(50)
  expect(await repeat(1)).toBeGreaterThanOrEqual(100)
  expect(await night.verify()).toMatchObject({ ok: true })
})
