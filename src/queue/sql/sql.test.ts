import { PGlite } from '@electric-sql/pglite'
import { connect, type Holdfast } from 'holdfast'
import { addToOutbox, inboxSchema, outboxSchema, pruneInbox, relayOutbox } from 'holdfast/queue'
import { startServer, type TestServer } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'

const soon = { timeout: 20_000, interval: 5 }
let server: TestServer
let db: PGlite
let hf: Holdfast

beforeAll(async () => {
  ;[server, db] = await Promise.all([startServer(), PGlite.create()])
  await db.exec(`${inboxSchema()}; ${outboxSchema()}; create table account (balance int not null)`)
})
afterAll(() => Promise.all([server.stop(), db.close()]))
beforeEach(async () => {
  hf = await connect(server.url, { timeout: '10s' })
  await db.exec(
    'delete from holdfast_inbox; delete from holdfast_outbox; delete from account; insert into account values (0)',
  )
})
afterEach(async () => {
  await hf.close()
  await server.command('FLUSHALL')
})

const balance = async () => (await db.query<{ balance: number }>('select balance from account')).rows[0]?.balance
const left = async () =>
  (await db.query<{ id: number; error: string | null }>('select id, error from holdfast_outbox')).rows

test('has the effect of a job once, however often it runs and wherever it stops', async () => {
  const queue = hf.queue<number>('pay', { attempts: 5, backoff: { base: 1 } })
  const answers: boolean[] = []
  queue.process(async (job, { once }) => {
    await db.transaction(async (tx) => {
      const isFirst = await once(tx)
      answers.push(isFirst)
      if (isFirst) await tx.query('update account set balance = balance + $1', [job.data])
      // Before the commit: nothing of it has happened.
      if (job.attempt === 1) throw new Error('rolled back')
    })
    // After it: all of it has.
    if (job.attempt === 2) throw new Error('not acknowledged')
  })
  await queue.add(5)
  await vi.waitFor(() => expect(answers).toHaveLength(3), soon)
  expect(answers).toEqual([true, true, false])
  expect(await balance()).toBe(5)
  expect(await pruneInbox(db, { olderThan: '1h' })).toBe(0)
  await db.query("update holdfast_inbox set at = now() - interval '2 hours'")
  expect(await pruneInbox(db, { olderThan: '1h' })).toBe(1)
})

test('makes a job of each row that was committed, in their order, and of none that was not', async () => {
  const queue = hf.queue<unknown>('mail')
  await db.transaction(async (tx) => {
    for (let n = 0; n < 5; n++) await addToOutbox(tx, 'mail', { n, at: new Date(n) })
    await addToOutbox(tx, 'mail', 'later', { delay: '1h' })
    await addToOutbox(tx, 'another', 'not mine')
  })
  const undone = db.transaction(async (tx) => {
    await addToOutbox(tx, 'mail', 'never')
    throw new Error('no')
  })
  await expect(undone).rejects.toThrow('no')
  const relays = [relayOutbox(queue, db, { batch: 2 }), relayOutbox(queue, db, { batch: 3 })]
  await vi.waitFor(async () => expect(await left()).toHaveLength(1), soon)
  await Promise.all(relays.map((relay) => relay.close()))
  expect(await queue.counts()).toMatchObject({ waiting: 5, delayed: 1 })
  const found: unknown[] = []
  for (let job = await queue.take(); job !== undefined; job = await queue.take()) {
    found.push(job.data)
    await job.complete()
  }
  expect(found).toHaveLength(5)
  expect(found).toContainEqual({ n: 3, at: new Date(3) })
})

test('adds no second job of a row whose relay died before it could remove it', async () => {
  const queue = hf.queue<unknown>('mail')
  await addToOutbox(db, 'mail', 'once')
  let isDead = true
  const dying = {
    query: (text: string, values?: unknown[]) =>
      isDead && text.startsWith('delete') ? Promise.reject(new Error('killed')) : db.query(text, values),
  }
  const errors: string[] = []
  const relay = relayOutbox(queue, dying, { every: 5, onError: (error) => errors.push(String(error)) })
  await vi.waitFor(() => expect(errors).toContain('Error: killed'), soon)
  expect(await left()).toHaveLength(1)
  isDead = false
  await db.query("update holdfast_outbox set claimed_until = now() - interval '1 second'")
  await vi.waitFor(async () => expect(await left()).toEqual([]), soon)
  await relay.close()
  expect(await queue.counts()).toMatchObject({ waiting: 1 })
})

test('keeps a row that no job can be made of with its error, and goes on with the others', async () => {
  const queue = hf.queue<unknown>('mail')
  await addToOutbox(db, 'mail', 'first')
  await db.query("insert into holdfast_outbox (queue, payload) values ('mail', 'no JSON')")
  await addToOutbox(db, 'mail', 'third')
  const bad: unknown[] = []
  const relay = relayOutbox(queue, db, { onError: (_, row) => bad.push(row) })
  await vi.waitFor(async () => expect((await queue.counts()).waiting).toBe(2), soon)
  await vi.waitFor(async () => expect((await left()).map(({ error }) => error !== null)).toEqual([true]), soon)
  await relay.close()
  expect(bad).toHaveLength(1)
  await expect(addToOutbox(db, 'mail', 1, { table: 'x; drop table y' })).rejects.toMatchObject({ option: 'table' })
})

test('keeps the row of a job that has not reached the durability asked for, says so, and adds it no second time', async () => {
  const queue = hf.queue<string>('mail')
  // The server has no replica.
  await addToOutbox(db, 'mail', 'kept', { durability: 'replica' })
  await addToOutbox(db, 'mail', 'gone')
  const heard: unknown[] = []
  const relay = relayOutbox(queue, db, {
    onError: (error, row) => heard.push([(error as { code?: string }).code, row]),
  })
  await vi.waitFor(
    async () => expect(await left()).toMatchObject([{ error: expect.stringContaining('durability') }]),
    soon,
  )
  await relay.look()
  await relay.close()
  const [{ id } = { id: 0 }] = await left()
  expect(heard).toEqual([['OUTBOX_NOT_DURABLE', String(id)]])
  expect(await queue.counts()).toMatchObject({ waiting: 2 })
})
