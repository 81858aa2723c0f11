import { type ChildProcess, fork } from 'node:child_process'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { serveDatabase } from '../database/ipc.ts'
import { cards, holdRequest, openTestHouse, someSeats, type TestHouse } from '../house.fixture.ts'
import { type MailServer, startMailServer } from '../mail/mail-server.fixture.ts'
import type { Night } from '../seating/nights.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

const LEASE = '1s'
const soon = { timeout: 30_000, interval: 20 }
let mail: MailServer
let test: TestHouse
let night: Night
let child: ChildProcess | undefined
let seats = 0

beforeAll(async () => {
  mail = await startMailServer()
  test = await openTestHouse({ smtp: { url: mail.url }, receipts: { firstRetryMs: 20, lease: LEASE } })
  night = await test.freshNight()
})
afterAll(async () => {
  child?.kill('SIGKILL')
  await test?.close()
  await mail?.stop()
})

/** Sells two seats to `address`; answers the order. */
async function sell(address: string | undefined) {
  const { desk } = test.house
  const held = await desk.hold(holdRequest(night, someSeats(night, 2, seats)))
  seats += 2
  if (held.status !== 'held') throw new Error(held.status)
  const paid = await desk.pay(held.claim, cards.good, address === undefined ? {} : { receiptTo: address })
  if (paid.status !== 'paid') throw new Error(paid.status)
  return paid.order
}

const rowOf = (number: string) => test.house.receipts.book.of(number)
const sent = (number: string, via: string) =>
  vi.waitFor(async () => expect(await rowOf(number)).toMatchObject({ state: 'sent', via }), soon)

it('is sent by another process when the one that was sending it is killed', async () => {
  const { address, namespace, db, receipts } = test.house
  const order = await sell('silent@box.example')
  const loader = new URL('../../../scripts/typescript.mjs', import.meta.url).href
  child = fork(new URL('./writer.fixture.ts', import.meta.url), [address.url, namespace, mail.url, LEASE], {
    serialization: 'advanced',
    execArgv: ['--import', loader],
  })
  serveDatabase(child, db)
  // It has sent everything, and waits to hear that it was taken.
  await vi.waitFor(() => expect(mail.seen).toHaveLength(1), soon)
  child.kill('SIGKILL')
  receipts.start()
  await sent(order.number, 'mail')
  expect(mail.seen.map(({ messageId }) => messageId)).toEqual([
    `<${order.number.toLowerCase()}@box-office.invalid>`,
    mail.accepted[0]?.messageId,
  ])
  expect(mail.accepted).toHaveLength(1)
})

it('is put into the queue again when Redis has forgotten it', async () => {
  const { db, receipts } = test.house
  await receipts.stop()
  const order = await sell(undefined)
  await db.query("update receipts set queued_at = now() - interval '1 minute' where order_number = $1", [order.number])
  expect((await receipts.queue.counts()).waiting).toBe(0)
  receipts.start()
  await sent(order.number, 'file')
})

it('tells seats, prices, total, place and time, and is delivered once', async () => {
  const order = await sell('ann@box.example')
  await sent(order.number, 'mail')
  // Asked for again, it is out.
  await test.house.receipts.queue.add({ order: order.number }, { id: order.number })
  await vi.waitFor(async () => expect(await test.house.receipts.queue.job(order.number)).toBeUndefined(), soon)
  const [letter, another] = mail.accepted.filter(({ to }) => to === 'ann@box.example')
  expect(another).toBeUndefined()
  const text = decoded(letter?.raw ?? '')
  const event = await test.house.catalogue.event(night.eventId)
  for (const word of [order.number, event?.artist, event?.venue.name, 'Total, 2 seats', 'Visa …4242'])
    expect(text).toContain(word as string)
  for (const seat of order.seats) expect(text).toContain(`Section ${seat.split('-')[0]}, row ${seat.split('-')[1]}`)
  expect(text).toMatch(/Content-Type: text\/html/)
})

it('is tried again while the mail server says not now, and is a dead letter when there is no such address', async () => {
  const { receipts } = test.house
  const [busy, wrong] = [await sell('busy@box.example'), await sell('nobody@box.example')]
  await sent(busy.number, 'mail')
  expect(mail.asked('busy@box.example')).toBe(3)
  const refused = { state: 'refused', reason: expect.stringContaining('There is nobody of this name') }
  await vi.waitFor(async () => expect(await rowOf(wrong.number)).toMatchObject(refused), soon)
  await vi.waitFor(async () => {
    const letters = await receipts.queue.deadLetters()
    expect(letters).toMatchObject([{ id: wrong.number, reason: 'given-up', attempts: 1 }])
  }, soon)
  expect(mail.asked('nobody@box.example')).toBe(1)
  // What is refused is not put there again.
  await receipts.run(0)
  expect(await receipts.book.counts()).toMatchObject({ due: 0, refused: 1 })
})

/** What a person reads: soft line ends and bytes of quoted-printable undone. */
function decoded(raw: string): string {
  const bytes = raw
    .replaceAll(/=\r?\n/g, '')
    .replaceAll(/(?:=[0-9A-F]{2})+/g, (run) => Buffer.from(run.replaceAll('=', ''), 'hex').toString())
  return bytes
}
