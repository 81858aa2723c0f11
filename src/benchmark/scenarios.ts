import { createHash } from 'node:crypto'
import { expectAnswer, type Scenario } from './scenario.ts'

/** So many ids, sessions and values: more than callers, so that they spread over a Cluster. */
const SPREAD = 512
const MISS_MS = 5_000
/** About 1 KiB as JSON. */
const PRODUCT = { id: 42, name: 'A product with a name of a usual length', text: 'x'.repeat(900), price: 4_999 }
const DATA = { role: 'customer', locale: 'en-GB', visits: 3, cart: [{ product: 'p-1', count: 2, price: 4_999 }] }

/** What a careful hand writes for the same. */
const scriptOf = (text: string) => ({ text, sha: createHash('sha1').update(text).digest('hex') })
const COMPARE_AND_DELETE = scriptOf(
  "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
)
const COUNT = scriptOf(
  "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n",
)
const COMPARE_AND_SET = scriptOf(
  "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end redis.call('SET', KEYS[1], ARGV[2]) return 1",
)
const NOTHING = scriptOf('return 1')

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

const cacheHit: Scenario = {
  id: 'cache-hit',
  title: 'cache hit, 1 KiB',
  floor: 'GET, JSON.parse',
  async prepare({ hf, raw }) {
    const cache = hf.cache<typeof PRODUCT>('bench', { ttl: '1h', whenDown: 'throw' })
    const json = JSON.stringify(PRODUCT)
    await Promise.all(upTo(SPREAD).map((n) => cache.set(`hit:${n}`, PRODUCT)))
    await Promise.all(upTo(SPREAD).map((n) => raw.send(raw.key(`hit:${n}`), 'SET', json, 'PX', 3_600_000)))
    return {
      own: async (turn) => {
        const found = await cache.get(`hit:${turn % SPREAD}`)
        expectAnswer('cache.get', found?.price === PRODUCT.price)
      },
      raw: async (turn) => JSON.parse(String(await raw.send(raw.key(`hit:${turn % SPREAD}`), 'GET'))),
    }
  },
}

const cacheMiss: Scenario = {
  id: 'cache-miss',
  title: 'cache miss, loaded and kept',
  floor: 'GET, then SET',
  async prepare({ hf, raw }) {
    const load = () => DATA
    // Small, and gone by themselves: a benchmark must not fill somebody's server.
    const cache = hf.cache<typeof DATA>('bench miss', { ttl: MISS_MS, whenDown: 'throw', load })
    const json = JSON.stringify(DATA)
    return {
      own: (turn) => cache.get(`miss:${turn}`),
      raw: async (turn) => {
        const key = raw.key(`miss:${turn}`)
        expectAnswer('GET', (await raw.send(key, 'GET')) === null)
        await raw.send(key, 'SET', json, 'PX', MISS_MS)
      },
    }
  },
}

const lockPair: Scenario = {
  id: 'lock',
  title: 'lock taken and released',
  floor: 'SET NX PX, then a script',
  async prepare({ hf, raw, lanes }) {
    const locks = upTo(lanes).map((n) => hf.lock(`bench:${n}`))
    return {
      own: async (turn) => {
        const held = await locks[turn % lanes]?.acquire()
        await held?.release()
      },
      raw: async (turn) => {
        const key = raw.key(`lock:${turn % lanes}`)
        const token = `${turn}`
        expectAnswer('SET NX', (await raw.send(key, 'SET', token, 'PX', 30_000, 'NX')) === 'OK')
        await raw.script(COMPARE_AND_DELETE.sha, COMPARE_AND_DELETE.text, key, token)
      },
    }
  },
}

const limit: Scenario = {
  id: 'limit',
  title: 'rate limit asked',
  floor: 'a script with INCR, PEXPIRE',
  async prepare({ hf, raw }) {
    const limiter = hf.limiter('bench', { rules: [{ limit: 1_000_000_000, per: '1m', algorithm: 'fixed' }] })
    return {
      own: async (turn) => expectAnswer('consume', (await limiter.consume(`id:${turn % SPREAD}`)).allowed),
      raw: (turn) => raw.script(COUNT.sha, COUNT.text, raw.key(`limit:${turn % SPREAD}`), 60_000),
    }
  },
}

const queue: Scenario = {
  id: 'queue',
  title: 'job added, taken and done',
  floor: 'LPUSH, LMOVE, LREM',
  async prepare({ hf, raw }) {
    const jobs = hf.queue<{ readonly to: string; readonly turn: number }>('bench')
    const waiting = raw.key('jobs')
    const moved = `${waiting}:taken`
    return {
      own: async (turn) => {
        await jobs.add({ to: 'ann@example.com', turn })
        const job = await jobs.take()
        await job?.complete()
      },
      raw: async (turn) => {
        await raw.send(waiting, 'LPUSH', JSON.stringify({ to: 'ann@example.com', turn }))
        const job = String(await raw.send(waiting, 'LMOVE', moved, 'RIGHT', 'LEFT'))
        await raw.send(moved as typeof waiting, 'LREM', 1, job)
      },
    }
  },
}

const queueWorker: Scenario = {
  id: 'queue-worker',
  title: 'job added, done by a worker',
  floor: 'LPUSH, LMOVE, LREM',
  async prepare(ground) {
    const { raw } = await queue.prepare(ground)
    const jobs = ground.hf.queue<number>('bench worker')
    const waiting = new Map<number, () => void>()
    jobs.process(
      ({ data: turn }) => {
        waiting.get(turn)?.()
        waiting.delete(turn)
      },
      { concurrency: 100 },
    )
    return {
      own: async (turn) => {
        const done = new Promise<void>((resolve) => waiting.set(turn, resolve))
        await jobs.add(turn)
        await done
      },
      raw,
    }
  },
}

const session: Scenario = {
  id: 'session',
  title: 'session loaded',
  floor: 'HGETALL, JSON.parse of each field',
  async prepare({ hf, raw }) {
    const sessions = hf.sessions<typeof DATA>({ name: 'bench', idle: '1h', absolute: '1h' })
    const made = await Promise.all(upTo(SPREAD).map(() => sessions.create(DATA)))
    const fields = Object.entries(DATA).flatMap(([name, value]) => [name, JSON.stringify(value)])
    await Promise.all(upTo(SPREAD).map((n) => raw.send(raw.key(`session:${n}`), 'HSET', ...fields)))
    return {
      own: async (turn) => expectAnswer('load', (await sessions.load(made[turn % SPREAD]?.id)) !== undefined),
      raw: async (turn) => {
        const flat = (await raw.send(raw.key(`session:${turn % SPREAD}`), 'HGETALL')) as readonly string[]
        for (let i = 1; i < flat.length; i += 2) JSON.parse(flat[i] as string)
      },
    }
  },
}

const seats: Scenario = {
  id: 'seats',
  title: 'two seats held and given back',
  floor: 'a script that does nothing, twice',
  async prepare({ hf, raw, lanes }) {
    const night = hf.seats('bench')
    await night.create({ currency: 'EUR', sections: [{ name: 'A', rows: lanes, seatsPerRow: 10, price: 4_999 }] })
    const key = raw.key('seats')
    return {
      own: async (turn) => {
        const row = (turn % lanes) + 1
        const hold = await night.hold({ customer: `c${row}`, seats: [`A-${row}-1`, `A-${row}-2`], for: '1m' })
        expectAnswer('hold', hold.status === 'held')
        await night.release(hold.id)
      },
      raw: async () => {
        await raw.script(NOTHING.sha, NOTHING.text, key)
        await raw.script(NOTHING.sha, NOTHING.text, key)
      },
    }
  },
}

const value: Scenario = {
  id: 'value',
  title: 'value updated',
  floor: 'GET, then a script that compares',
  async prepare({ hf, raw, lanes }) {
    const values = upTo(lanes).map((n) => hf.value<number>(`bench:${n}`))
    await Promise.all(values.map((one) => one.set(0)))
    await Promise.all(upTo(lanes).map((n) => raw.send(raw.key(`value:${n}`), 'SET', '0')))
    return {
      own: (turn) => values[turn % lanes]?.update((n) => (n ?? 0) + 1) ?? Promise.reject(new Error('no value')),
      raw: async (turn) => {
        const key = raw.key(`value:${turn % lanes}`)
        const read = String(await raw.send(key, 'GET'))
        await raw.script(COMPARE_AND_SET.sha, COMPARE_AND_SET.text, key, read, `${Number(read) + 1}`)
      },
    }
  },
}

export const SCENARIOS: readonly Scenario[] = [
  ...[cacheHit, cacheMiss, lockPair, limit, queue, queueWorker, session, seats, value],
]
