// The embedded Postgres, in a thread of its own: WebAssembly runs to its end once it is called, and on
// the main thread a start of three seconds or a query of a few milliseconds would stop every page,
// every stream and every deadline. Plain JavaScript, because Node starts it as it is.
//
// In:  { id, statements: [{ text, values }] }, all in one transaction; or { id, close: true }
// Out: { id, rows: Row[][] } or { id, failure: { message, code, constraint } }

import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'

const INT8 = 20
const starting = PGlite.create({
  ...(workerData.dataDir === undefined ? {} : { dataDir: workerData.dataDir }),
  parsers: { [INT8]: (text) => BigInt(text) },
})

async function run(db, statements) {
  if (statements.length === 1) return [(await db.query(statements[0].text, statements[0].values)).rows]
  return db.transaction(async (tx) => {
    const rows = []
    for (const { text, values } of statements) rows.push((await tx.query(text, values)).rows)
    return rows
  })
}

function failureOf(error) {
  return { message: String(error?.message ?? error), code: error?.code, constraint: error?.constraint }
}

parentPort.on('message', async ({ id, statements, close }) => {
  try {
    const db = await starting
    if (close) await db.close()
    parentPort.postMessage({ id, rows: close ? [] : await run(db, statements) })
    if (close) parentPort.close()
  } catch (error) {
    parentPort.postMessage({ id, failure: failureOf(error) })
  }
})
