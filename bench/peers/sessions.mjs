// The store that our sessions are measured beside: connect-redis, which takes node-redis. Loading with a touch is two commands of it, as
// express-session calls them; saving writes the whole session.
//
// Plain JavaScript, run where it lies: the packages are in bench/node_modules.

import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'

const SESSIONS = 1_000
const cookie = { originalMaxAge: 1_800_000, httpOnly: true, path: '/' }
const dataOf = (n) => ({
  cookie,
  userId: `u${n}`,
  role: 'customer',
  locale: 'en-GB',
  visits: n,
  cart: [
    { product: `p-${n}`, count: 2, price: 4999 },
    { product: `q-${n}`, count: 1, price: 1250 },
  ],
  address: { street: 'A street with a name of a usual length 42', city: 'Amsterdam', country: 'NL', zip: '1012 AB' },
  csrf: 'a token of a usual length, 32 b.',
})

export async function openPeers(url) {
  const client = createClient({ url })
  await client.connect()
  const store = new RedisStore({ client, ttl: 1_800 })
  const idAt = (turn) => `session-${turn % SESSIONS}`
  for (let n = 0; n < SESSIONS; n++) await store.set(idAt(n), dataOf(n))
  return {
    peers: [
      {
        scenario: 'load',
        name: 'connect-redis get, then touch',
        run: async (turn) => {
          const session = await store.get(idAt(turn))
          await store.touch(idAt(turn), session)
        },
      },
      {
        scenario: 'save',
        name: 'connect-redis set',
        run: (turn) => store.set(idAt(turn), { ...dataOf(turn % SESSIONS), visits: turn }),
      },
    ],
    close: async () => client.destroy(),
  }
}
