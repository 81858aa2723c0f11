import type { TestCluster, TestServer } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { holdRequest, someSeats } from '../house.fixture.ts'
import type { Night } from '../seating/nights.ts'
import { type OpenShop, openShop } from '../shop.ts'
import { openViewer, type Viewer } from './viewer.fixture.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let shop: OpenShop
let cluster: TestCluster
const faults: unknown[] = []

beforeAll(async () => {
  shop = await openShop({
    ...{ port: 0, crowd: 0, redis: undefined, layout: 'cluster', dataDir: undefined },
    onFault: (error) => faults.push(error),
  })
  cluster = shop.house.group as TestCluster
})
afterEach(async () => {
  for (const node of cluster.nodes) {
    if (node.pid === undefined) await node.restart()
    if (node.paused) await node.resume()
  }
  await cluster.settled()
  expect(faults.splice(0)).toEqual([])
})
afterAll(() => shop.stop())

async function nightNumber(number: number): Promise<Night> {
  const events = await shop.house.catalogue.upcoming()
  return (await shop.house.nights.open(events[number]?.id as string)) as Night
}

const primaryOf = (night: Night): Promise<TestServer> =>
  cluster.primaryOf(`{${shop.house.namespace}:seats:${night.eventId}}`)

async function take(night: Night, seat: string) {
  const answer = await shop.house.desk.hold(holdRequest(night, [seat]))
  expect(answer.status).toBe('held')
}

/** What is not free on the server that has the event now. */
async function takenIn(night: Night): Promise<string[]> {
  const { seats } = await night.seats.map()
  return seats.filter(({ state }) => state !== 'free').map(({ id }) => id)
}

const shownTo = (viewer: Viewer) => [...viewer.shown].filter(([, state]) => state !== 'f').map(([seat]) => seat)

it('goes on through a kill -9 of the server that has the night: no page fails, and the stream has all of it', async () => {
  const night = await nightNumber(0)
  const [first, second, third] = someSeats(night, 3) as [string, string, string]
  const viewer = await openViewer(shop.url, night.eventId)
  await viewer.frame()
  await take(night, first)
  const { id: before } = await viewer.frame()
  await (await primaryOf(night)).kill()

  // Everybody who comes now waits for the failover, and gets what he came for.
  const [map, home] = await Promise.all([
    fetch(`${shop.url}/events/${night.eventId}`),
    fetch(shop.url),
    take(night, second),
  ])
  expect([map.status, home.status]).toEqual([200, 200])
  expect(shop.house.hf.stats.failovers).toBe(1)
  const whole = await viewer.frame()
  expect(await map.text()).toContain('data-mark=')

  // The same stream goes on, and ends at what the new server has.
  await take(night, third)
  while (!shownTo(viewer).includes(third)) await viewer.frame()
  expect(shownTo(viewer).sort()).toEqual((await takenIn(night)).sort())
  expect(shownTo(viewer).sort()).toEqual([first, second, third].sort())
  expect(whole.id).not.toBe(before)
  viewer.leave()
})

it('shows what the server has that took over, not what was lost with the one before', async () => {
  const night = await nightNumber(1)
  const [kept, lost, next] = someSeats(night, 3) as [string, string, string]
  await take(night, kept)
  const viewer = await openViewer(shop.url, night.eventId)
  await viewer.frame()
  const primary = await primaryOf(night)
  const [replica] = (await cluster.replicasOf(primary)) as [TestServer]
  // The replica hears nothing more: what is promised now is lost with the primary.
  await replica.pause()
  await primary.command('CLIENT', 'KILL', 'TYPE', 'replica')
  await take(night, lost)
  const { id: forked } = await viewer.frame()
  expect(shownTo(viewer).sort()).toEqual([kept, lost].sort())
  await primary.kill()
  await replica.resume()

  // The next change has the version of the one that was lost.
  await take(night, next)
  while (shownTo(viewer).includes(lost) || !shownTo(viewer).includes(next)) await viewer.frame()
  expect(shownTo(viewer).sort()).toEqual([kept, next].sort())
  expect(await takenIn(night)).toHaveLength(2)

  // Nor is one told that he has all who was away meanwhile, and says so with the same version.
  const back = await openViewer(shop.url, night.eventId, { headers: { 'last-event-id': forked } })
  expect(await back.frame()).toMatchObject({ all: true, seats: { [kept]: 'h', [next]: 'h' } })
  back.leave()
  viewer.leave()
})
