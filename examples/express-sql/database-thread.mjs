/** SQLite in a thread of its own, so that a query that takes long does not stop the server. */
import { parentPort } from 'node:worker_threads'
import initSqlite from 'sql.js'

const GENRES = ['Rock', 'Jazz', 'Metal', 'Latin']
const TRACKS = 20_000

const opening = open()

async function open() {
  const { Database } = await initSqlite()
  const db = new Database()
  db.run(
    'create table tracks (id integer primary key, name text not null, genre text not null, plays integer not null)',
  )
  db.run('begin')
  const insert = db.prepare('insert into tracks values (?, ?, ?, ?)')
  for (let id = 1; id <= TRACKS; id += 1)
    insert.run([id, `Track ${id}`, GENRES[id % GENRES.length], (id * 7_919) % 90_001])
  insert.free()
  db.run('commit')
  return db
}

parentPort.on('message', async ({ id, sql, params }) => {
  try {
    const statement = (await opening).prepare(sql)
    statement.bind(params)
    const rows = []
    while (statement.step()) rows.push(statement.getAsObject())
    statement.free()
    parentPort.postMessage({ id, rows })
  } catch (error) {
    parentPort.postMessage({ id, failure: error.message })
  }
})
