import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { isUniqueViolation, SqlError } from './database.ts'
import { openPglite } from './pglite.ts'
import { preparedDatabase } from './prepared.ts'

describe('the embedded database', () => {
  let starts = 0
  const db = preparedDatabase(openPglite(), async (fresh) => {
    starts += 1
    await fresh.query('create table seats (id text primary key, price bigint not null)')
  })
  afterAll(() => db.close())

  it('is made ready once, by the first who asks, while others wait', async () => {
    expect(starts).toBe(0)
    await Promise.all([1, 2, 3].map(() => db.query('select count(*) from seats')))
    expect(starts).toBe(1)
  })

  it('keeps money as whole bigints', async () => {
    await db.query('insert into seats values ($1, $2)', ['A-1-1', 9_007_199_254_740_993n])
    expect(await db.query('select price from seats where id = $1', ['A-1-1'])).toEqual([
      { price: 9_007_199_254_740_993n },
    ])
    const lists = await db.query('select unnest($1::bigint[]) as price', [[1n, 2n]])
    expect(lists).toEqual([{ price: 1n }, { price: 2n }])
  })

  it('does all of a transaction or nothing', async () => {
    const attempt = db.transaction([
      { text: 'insert into seats values ($1, $2)', values: ['A-1-2', 1n] },
      { text: 'insert into seats values ($1, $2)', values: ['A-1-1', 1n] },
    ])
    await expect(attempt).rejects.toSatisfy((error) => isUniqueViolation(error, 'seats_pkey'))
    expect(await db.query('select id from seats')).toEqual([{ id: 'A-1-1' }])
  })

  it('tells what Postgres said, with its code', async () => {
    await expect(db.query('select * from nowhere')).rejects.toSatisfy(
      (error) => error instanceof SqlError && error.code === '42P01',
    )
  })
})

it('refuses every question after it was closed, and starts nothing to be closed', async () => {
  const db = openPglite()
  await db.close()
  await expect(db.query('select 1')).rejects.toThrow('closed')
})

it('keeps what was written on disk, and lets one in at a time', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'box-office-'))
  try {
    const first = openPglite({ dataDir })
    await first.query('create table t (n int)')
    await first.query('insert into t values (7)')
    const second = openPglite({ dataDir })
    await expect(second.query('select n from t')).rejects.toThrow('in use')
    await second.close()
    await first.close()
    const again = openPglite({ dataDir })
    expect(await again.query('select n from t')).toEqual([{ n: 7 }])
    await again.close()
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})
