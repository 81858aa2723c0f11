// The limiters that ours is measured beside, each with one fixed window of an hour, which nobody exhausts.
//
//   rate-limiter-flexible   RateLimiterRedis
//   rate-limit-redis        the store alone, without express-rate-limit around it
//
// Plain JavaScript, run where it lies: the packages are in bench/node_modules.

import { Redis } from 'ioredis'
import { RedisStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'

const HOUR_MS = 3_600_000
const PLENTY = 1_000_000_000
const IDS = 1_000

export async function openPeers(url) {
  const client = new Redis(url)
  const idOf = (turn) => `10.0.${(turn % IDS) >> 8}.${(turn % IDS) & 255}`
  const flexible = new RateLimiterRedis({ storeClient: client, points: PLENTY, duration: HOUR_MS / 1_000 })
  const store = new RedisStore({ sendCommand: (command, ...args) => client.call(command, ...args) })
  store.init({ windowMs: HOUR_MS })
  return {
    peers: [
      { scenario: 'fixed', name: 'rate-limiter-flexible', run: (turn) => flexible.consume(idOf(turn)) },
      { scenario: 'fixed', name: 'rate-limit-redis', run: (turn) => store.increment(idOf(turn)) },
    ],
    close: async () => client.disconnect(),
  }
}
