// The embedded Postgres, in a thread of its own: WebAssembly runs to its end once it is called, and on
// the main thread a start of three seconds or a query of a few milliseconds would stop every page,
// every stream and every deadline. Plain JavaScript, because Node starts it as it is.
//
// In:  { id, statements: [{ text, values }] }, all in one transaction; or { id, close: true }
// Out: { id, rows: Row[][] } or { id, failure: { message, code, constraint } }
//
// Most of a start is the making of an empty database, which is always the same: one in memory begins with a copy of
// the one that the first start of this version made (in `workerData.scratch`, a folder).

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { parentPort, threadId, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'

const INT8 = 20
const { dataDir, scratch } = workerData
const parsers = { [INT8]: (text) => BigInt(text) }
const DIGEST_BYTES = 32
const starting = dataDir === undefined ? startInMemory() : PGlite.create({ dataDir, parsers })

async function startInMemory() {
  const path = join(scratch, `empty-postgres-${version()}`)
  const empty = read(path)
  if (empty !== undefined) return PGlite.create({ loadDataDir: new Blob([empty]), parsers })
  const db = await PGlite.create({ parsers })
  keep(path, Buffer.from(await (await db.dumpDataDir('none')).arrayBuffer()))
  return db
}

function digest(bytes) {
  return createHash('sha256').update(bytes).digest()
}

/** What `keep` wrote, when it is whole: the database ends this thread over an archive that is not. */
function read(path) {
  if (!existsSync(path)) return undefined
  const file = readFileSync(path)
  const [bytes, sum] = [file.subarray(0, -DIGEST_BYTES), file.subarray(-DIGEST_BYTES)]
  return digest(bytes).equals(sum) ? bytes : undefined
}

/** Where nothing can be written, the next start takes as long as this one. */
function keep(path, bytes) {
  const part = `${path}.${process.pid}.${threadId}`
  try {
    mkdirSync(scratch, { recursive: true })
    writeFileSync(part, Buffer.concat([bytes, digest(bytes)]))
    renameSync(part, path)
  } catch {
    rmSync(part, { force: true })
  }
}

function version() {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite')
  return JSON.parse(readFileSync(join(dirname(entry), '../package.json'), 'utf8')).version
}

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
