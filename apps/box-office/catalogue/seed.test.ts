import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPglite } from '../database/pglite.ts'
import { createTables } from './schema.ts'
import { seedHouse } from './seed.ts'

const db = openPglite()
const NOW = new Date('2026-11-21T09:30:00Z')

beforeAll(() => createTables(db))
afterAll(() => db.close())

it('fills an empty house once', async () => {
  expect(await seedHouse(db, NOW)).toEqual({ venues: 60, nights: 120 })
  expect(await seedHouse(db, NOW)).toEqual({ venues: 0, nights: 0 })
})

it('plans a new season when the last night is over, and keeps what was', async () => {
  const later = new Date('2027-08-01T00:00:00Z')
  expect(await seedHouse(db, later)).toMatchObject({ nights: 120 })
  const [count] = await db.query(
    'select count(*)::int as all, count(*) filter (where starts_at > $1)::int as ahead from events',
    [later],
  )
  expect(count).toEqual({ all: 240, ahead: 120 })
})
