/**
 * PGlite behind `Database`: a real Postgres inside this process, without a server. It takes a second or,
 * the first time, several to start, so nothing starts it before the first question, and one promise guards it:
 * PGlite is a single connection, and a second instance on the same directory would ruin it.
 */

import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { fileOf, SCRATCH } from '../place.ts'
import { type Database, type Row, SqlError, type SqlFailure, type Statement } from './database.ts'

export interface PgliteOptions {
  /** Where the data is kept. Left out: in memory, gone with the process. */
  readonly dataDir?: string
}

interface Waiting {
  resolve(rows: Row[][]): void
  reject(error: Error): void
}

interface Reply {
  readonly id: number
  readonly rows?: Row[][]
  readonly failure?: SqlFailure
}

export function openPglite(options: PgliteOptions = {}): Database {
  const waiting = new Map<number, Waiting>()
  let thread: Worker | undefined
  let lastId = 0
  let closed: Promise<void> | undefined
  let release = () => {}

  function start(): Worker {
    const dataDir = options.dataDir
    if (dataDir !== undefined) release = lockDirectory(dataDir)
    const path = dataDir === undefined ? undefined : join(dataDir, 'pgdata')
    const worker = new Worker(fileOf('database/pglite-thread.mjs'), { workerData: { dataDir: path, scratch: SCRATCH } })
    worker.on('message', ({ id, rows, failure }: Reply) => {
      const call = waiting.get(id)
      waiting.delete(id)
      if (rows !== undefined) call?.resolve(rows)
      else call?.reject(new SqlError(failure ?? { message: 'no answer', code: undefined, constraint: undefined }))
    })
    worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', () => fail(new Error('The database was closed.')))
    return worker
  }

  function fail(error: Error): void {
    for (const call of waiting.values()) call.reject(error)
    waiting.clear()
  }

  function ask(message: { statements: readonly Statement[] } | { close: true }): Promise<Row[][]> {
    thread ??= start()
    const worker = thread
    lastId += 1
    const id = lastId
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      worker.postMessage({ id, ...message })
    })
  }

  async function transaction(statements: readonly Statement[]): Promise<Row[][]> {
    if (closed !== undefined) throw new Error('The database was closed.')
    return ask({ statements })
  }

  return {
    lasting: options.dataDir !== undefined,
    transaction,
    async query<T extends Row>(text: string, values: Statement['values'] = []) {
      const [rows] = await transaction([{ text, values }])
      return (rows ?? []) as T[]
    },
    close() {
      closed ??= (async () => {
        if (thread === undefined) return
        await ask({ close: true }).catch(() => {})
        await thread.terminate()
        release()
      })()
      return closed
    },
  }
}

/** Directories that this process has open. */
const ours = new Set<string>()

/** One process a directory, and in it one instance: a file with our id in it, taken over only from a process that is gone. */
function lockDirectory(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true })
  const path = join(dataDir, 'owner.pid')
  for (const mayTakeOver of [true, false]) {
    try {
      const file = openSync(path, 'wx')
      writeSync(file, String(process.pid))
      closeSync(file)
      ours.add(path)
      return () => {
        ours.delete(path)
        rmSync(path, { force: true })
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const owner = Number(readFileSync(path, 'utf8'))
      if (!mayTakeOver || ours.has(path) || isAlive(owner)) throw new Error(`${dataDir} is in use by process ${owner}.`)
      rmSync(path, { force: true })
    }
  }
  throw new Error(`${dataDir} could not be locked.`)
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
