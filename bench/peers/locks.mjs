// The locks that ours is measured beside: taken at once and released, each without a fence.
//
//   redlock           one server, no retries
//   redis-semaphore   `Mutex` without its refresh timer, which is its fastest
//
// Plain JavaScript, run where it lies: the packages are in bench/node_modules.

import { Redis } from 'ioredis'
import { Mutex } from 'redis-semaphore'
import Redlock from 'redlock'

const TTL_MS = 30_000
/** As many as callers at most: a name is not asked for again before it was released. */
const NAMES = 1_000

export async function openPeers(url) {
  const client = new Redis(url)
  const redlock = new Redlock([client], { retryCount: 0 })
  const nameOf = (turn) => `lock:${turn % NAMES}`
  return {
    peers: [
      {
        scenario: 'pair',
        name: 'redlock',
        run: async (turn) => {
          const lock = await redlock.acquire([`redlock:${nameOf(turn)}`], TTL_MS)
          await lock.release()
        },
      },
      {
        scenario: 'pair',
        name: 'redis-semaphore',
        run: async (turn) => {
          const mutex = new Mutex(client, nameOf(turn), {
            lockTimeout: TTL_MS,
            refreshInterval: 0,
            acquireAttemptsLimit: 1,
          })
          if (!(await mutex.tryAcquire())) throw new Error('a lock that nobody holds was not to be had')
          await mutex.release()
        },
      },
    ],
    close: async () => client.disconnect(),
  }
}
