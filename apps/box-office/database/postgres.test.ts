import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { runOnce } from '../sale/once.ts'
import { openShop } from '../shop.ts'
import { isUniqueViolation, SqlError } from './database.ts'
import { POSTGRES, postgresTests, startPostgres, type TestPostgres } from './postgres.fixture.ts'
import { openPostgres } from './postgres.ts'

// A server is made and started in a second or two, on a busy machine in many.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let server: TestPostgres
let others: pg.Client

describe.skipIf(POSTGRES === undefined)(postgresTests('a Postgres server'), () => {
  beforeAll(async () => {
    server = await startPostgres()
    others = new pg.Client({ connectionString: server.url })
    await others.connect()
    // Tables of somebody else, under names that we use too, where an unnamed table would be looked for.
    await others.query('create table orders (note text); insert into orders values ($$not ours$$)')
    await others.query('create schema neighbours; create table neighbours.sales (note text)')
  })
  afterAll(async () => {
    await others?.end()
    await server?.stop()
  })

  const schemas = async () =>
    (
      await others.query("select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'")
    ).rows
      .map(({ nspname }) => nspname as string)
      .sort()

  it('keeps money as whole bigints, and tells what it refused', async () => {
    const db = await openPostgres({ url: server.url, schema: 'box_office_test', kept: false })
    await db.query('create table seats (id text primary key, price bigint not null, prices bigint[] not null)')
    const seat = ['A-1-1', 9_007_199_254_740_993n, [1n, 9_007_199_254_740_993n]] as const
    await db.query('insert into seats values ($1, $2, $3)', seat)
    expect(await db.query('select * from seats')).toEqual([{ id: seat[0], price: seat[1], prices: seat[2] }])
    expect(await db.query("select '{}'::bigint[] as none, count(*) from seats")).toEqual([{ none: [], count: 1n }])
    const attempt = db.transaction([
      { text: "insert into seats values ('A-1-2', 1, '{}')" },
      { text: "insert into seats values ('A-1-1', 1, '{}')" },
    ])
    await expect(attempt).rejects.toSatisfy((error) => isUniqueViolation(error, 'seats_pkey'))
    expect(await db.query('select id from seats')).toEqual([{ id: 'A-1-1' }])
    await expect(db.query('select * from nowhere')).rejects.toSatisfy(
      (error) => error instanceof SqlError && error.code === '42P01',
    )
    await db.close()
    expect(await schemas()).toEqual(['neighbours', 'public'])
  })

  it('begins a transaction again that the server broke off for the sake of another', async () => {
    const db = await openPostgres({ url: server.url, schema: 'box_office_test', kept: false })
    await db.transaction([
      { text: 'create table n (id int primary key, n int)' },
      { text: 'insert into n values (1, 0), (2, 0)' },
    ])
    const add = (id: number) => ({ text: 'update n set n = n + 1 where id = $1', values: [id] })
    // Each waits for the row that the other has: a deadlock, which Postgres ends after a second.
    const slowly = { text: 'select pg_sleep(0.2)' }
    await Promise.all([db.transaction([add(1), slowly, add(2)]), db.transaction([add(2), slowly, add(1)])])
    expect(await db.query('select id, n from n order by id')).toEqual([1, 2].map((id) => ({ id, n: 2 })))
    await db.close()
  })

  it('sells a night in a schema of its own, and leaves nothing there', async () => {
    const summary = await runOnce({
      ...{ buyers: 200, seats: 300, seed: 7, processes: 1, redis: undefined, databaseUrl: server.url },
      onFault: (error) => expect.unreachable(String(error)),
    })
    expect(summary.invariants.filter(({ problems }) => problems.length > 0)).toEqual([])
    expect(summary.orders).toBeGreaterThan(50)
    expect(await schemas()).toEqual(['neighbours', 'public'])
    expect((await others.query('select * from orders')).rows).toEqual([{ note: 'not ours' }])
  })

  it('keeps what the shop has sold, for one shop at a time', async () => {
    const open = () =>
      openShop({
        ...{ port: 0, crowd: 0, redis: undefined, dataDir: undefined, databaseUrl: server.url },
        onFault: (error) => expect.unreachable(String(error)),
      })
    const first = await open()
    const [event] = await first.house.catalogue.upcoming()
    await expect(open()).rejects.toThrow('in use by another box office')
    await first.stop()
    const second = await open()
    expect((await second.house.catalogue.upcoming())[0]).toEqual(event)
    expect(second.house.secret).toBe(first.house.secret)
    await second.stop()
    expect(await schemas()).toEqual(['box_office', 'neighbours', 'public'])
    await others.query('drop schema box_office cascade')
  })
})
