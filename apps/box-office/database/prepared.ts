import type { Database } from './database.ts'

/** A database that is made ready (tables, first contents) before its first answer, once, and not before it is asked. */
export function preparedDatabase(db: Database, prepare: (db: Database) => Promise<void>): Database {
  let ready: Promise<void> | undefined

  function once(): Promise<void> {
    ready ??= prepare(db).catch((error: unknown) => {
      ready = undefined
      throw error
    })
    return ready
  }

  return {
    lasting: db.lasting,
    async query(text, values) {
      await once()
      return db.query(text, values)
    },
    async transaction(statements) {
      await once()
      return db.transaction(statements)
    },
    close: () => db.close(),
  }
}
