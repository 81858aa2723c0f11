import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdRequest, someSeats } from '../house.fixture.ts'
import type { Night } from '../seating/nights.ts'
import { type OpenShop, openShop } from '../shop.ts'
import { openViewer, versionOf } from './viewer.fixture.ts'

let shop: OpenShop
let nights: Night[]

beforeAll(async () => {
  shop = await openShop({ port: 0, crowd: 0, redis: undefined, dataDir: undefined, onFault: () => {} })
  const events = await shop.house.catalogue.upcoming()
  nights = await Promise.all(events.slice(0, 8).map(async ({ id }) => (await shop.house.nights.open(id)) as Night))
})
afterAll(() => shop.stop())

const viewer = (night: Night, headers: Record<string, string> = {}, query = '') =>
  openViewer(shop.url, night.eventId, { headers, query })

const take = async (night: Night, seats: string[]) => {
  const answer = await shop.house.desk.hold(holdRequest(night, seats))
  if (answer.status !== 'held') throw new Error(answer.status)
  return answer.claim
}

describe('a viewer', () => {
  it('gets the whole first, then what changes, each with the version of the map', async () => {
    const night = nights[0] as Night
    const [first, second] = someSeats(night, 2) as [string, string]
    await take(night, [first])
    const { answer, frame, leave } = await viewer(night)
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    const whole = await frame()
    expect(whole).toMatchObject({ all: true, seats: { [first]: 'h' } })
    const claim = await take(night, [second])
    const held = await frame()
    expect(held).toMatchObject({ all: false, seats: { [second]: 'h' } })
    expect(versionOf(held.id)).toBeGreaterThan(versionOf(whole.id))
    await shop.house.desk.release(claim)
    expect(await frame()).toMatchObject({ all: false, seats: { [second]: 'f' } })
    leave()
  })

  it('who comes back gets only what he missed', async () => {
    const night = nights[1] as Night
    const [first, second, third] = someSeats(night, 3) as [string, string, string]
    const early = await viewer(night)
    await early.frame()
    await take(night, [first])
    const { id } = await early.frame()
    early.leave()
    await take(night, [second])
    await take(night, [third])
    const back = await viewer(night, { 'last-event-id': id })
    const missed: Record<string, string> = {}
    while (Object.keys(missed).length < 2) {
      const frame = await back.frame()
      expect(frame.all).toBe(false)
      Object.assign(missed, frame.seats)
    }
    expect(missed).toEqual({ [second]: 'h', [third]: 'h' })
    back.leave()
  })

  it('of a page that was just drawn is told nothing that the page shows', async () => {
    const night = nights[2] as Night
    const [first, second] = someSeats(night, 2) as [string, string]
    await take(night, [first])
    const watching = await viewer(night)
    await watching.frame()
    const html = await (await fetch(`${shop.url}/events/${night.eventId}`)).text()
    const mark = /data-mark="([^"]+)"/.exec(html)?.[1]
    const { frame, leave } = await viewer(night, {}, `?since=${mark}`)
    await take(night, [second])
    expect(await frame()).toMatchObject({ all: false, seats: { [second]: 'h' } })
    leave()
    watching.leave()
  })

  it('who has a mark that never was gets the whole', async () => {
    const { frame, leave } = await viewer(nights[3] as Night, { 'last-event-id': '0badcafe-99999999999999' })
    expect((await frame()).all).toBe(true)
    leave()
  })

  it('is told when a forgotten hold runs out', async () => {
    const night = nights[4] as Night
    const [seat] = someSeats(night, 1) as [string]
    const { frame, leave } = await viewer(night)
    await frame()
    await shop.house.desk.hold(holdRequest(night, [seat], 150))
    expect((await frame()).seats).toEqual({ [seat]: 'h' })
    expect((await frame()).seats).toEqual({ [seat]: 'f' })
    leave()
  })

  it('is one of many, and Redis is asked once for all of them', async () => {
    const night = nights[5] as Night
    const [seat] = someSeats(night, 1) as [string]
    const viewers = await Promise.all(Array.from({ length: 50 }, () => viewer(night)))
    await Promise.all(viewers.map(({ frame }) => frame()))
    await take(night, [seat])
    const frames = await Promise.all(viewers.map(({ frame }) => frame()))
    expect(new Set(frames.map((frame) => JSON.stringify(frame))).size).toBe(1)
    for (const { leave } of viewers) leave()
  })
})

it('shows the figures of the status page: all first, then what has changed', async () => {
  const leaving = new AbortController()
  const answer = await fetch(`${shop.url}/status/live`, { signal: leaving.signal })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const frames = (answer.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    [Symbol.asyncIterator]()
  const seen: Record<string, string>[] = []
  for (let text = ''; seen.length < 2; ) {
    text += (await frames.next()).value ?? ''
    const found = [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data]) => JSON.parse(data as string))
    seen.splice(0, seen.length, ...found.map(({ parts }) => parts))
  }
  leaving.abort()
  const [first, next] = seen as [Record<string, string>, Record<string, string>]
  expect(Object.keys(first)).toEqual(expect.arrayContaining(['sales', 'times', 'queues', 'payments', 'group-running']))
  // How long it runs has changed, and who may pay has not.
  expect(next['group-running']).not.toBe(first['group-running'])
  expect(next.payments).toBeUndefined()
})
