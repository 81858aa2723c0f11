/** The system of record of this exercise: slow, as databases are, and it counts how often it is asked. */
import { setTimeout as latency } from 'node:timers/promises'

const READ_MS = 60
const WRITE_MS = 30

export function createDatabase() {
  const users = new Map([
    ['1', { id: 1, name: 'Alice', email: 'alice@example.com' }],
    ['2', { id: 2, name: 'Bob', email: 'bob@example.com' }],
    ['3', { id: 3, name: 'Chloé', email: 'chloe@example.com' }],
  ])
  let queries = 0

  return {
    /** How many queries there were since this was asked last. */
    queries() {
      const count = queries
      queries = 0
      return count
    },
    /** One user, or `null` when there is none. */
    async user(id) {
      queries += 1
      await latency(READ_MS)
      return users.get(id) ?? null
    },
    /** Several in one query: an array in the order of `ids`, `null` for each that is not there. */
    async usersOf(ids) {
      queries += 1
      await latency(READ_MS)
      return ids.map((id) => users.get(id) ?? null)
    },
    async update(id, change) {
      await latency(WRITE_MS)
      users.set(id, { ...users.get(id), ...change })
    },
  }
}
