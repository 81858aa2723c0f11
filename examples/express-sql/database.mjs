/** A pool's `query(sql, params)`, over SQLite in a thread. It counts its queries, and can be away. */
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

const TIMEOUT_MS = 200

/** As a pool does that finds nobody: it takes its time. */
async function timeout() {
  await setTimeout(TIMEOUT_MS)
  throw new Error('the database is away')
}

export function openDatabase() {
  const thread = new Worker(new URL('./database-thread.mjs', import.meta.url))
  const waiting = new Map()
  let count = 0
  let away = false
  thread.on('message', ({ id, rows, failure }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (failure === undefined) resolve(rows)
    else reject(new Error(failure))
  })

  return {
    query(sql, params = []) {
      count += 1
      if (away) return timeout()
      return new Promise((resolve, reject) => {
        waiting.set(count, { resolve, reject })
        thread.postMessage({ id: count, sql, params })
      })
    },
    /** How many queries there were since this was asked last. */
    queries() {
      const since = count - this.told
      this.told = count
      return since
    },
    told: 0,
    goAway: () => {
      away = true
    },
    comeBack: () => {
      away = false
    },
    close: () => thread.terminate(),
  }
}
