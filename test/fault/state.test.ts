// What locks, limits, sessions and values have in common: no key of theirs lives for ever by mistake; what is often got wrong with the plain
// commands, beside ours; and the recipes of docs/lock.md, on a real Postgres.
import { connect, type Holdfast, type Lock, type RwLock, type Semaphore } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Database } from '../../apps/box-office/database/database.ts'
import { openPglite } from '../../apps/box-office/database/pglite.ts'
import * as limitScripts from '../../src/limit/lua.generated.ts'
import * as lockScripts from '../../src/lock/lua.generated.ts'
import * as sessionScripts from '../../src/session/lua.generated.ts'
import * as valueScripts from '../../src/value/lua.generated.ts'

let server: TestServer
let namespace: string
let hf: Holdfast
let other: Holdfast
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('state')
  ;[hf, other] = await Promise.all([open(), open()])
})
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})
afterAll(() => server.stop())

async function open(): Promise<Holdfast> {
  const opened = await connect(server.url, { namespace, timeout: '10s' })
  closing.push(() => opened.close())
  return opened
}

const soon = { timeout: 10_000, interval: 5 }

describe('every key has an end, whatever was done last', () => {
  /** Keys of this test that would live for ever, but for those that are declared to. */
  const immortal = async (): Promise<readonly string[]> => {
    const script = `local found = {}
      for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
        if redis.call('PTTL', key) == -1 then found[#found + 1] = key end
      end
      return found`
    const found = await server.command<string[]>('EVAL', script, 0, `*${namespace}*`)
    // A value without a `ttl` lasts until it is deleted, and its log with it: `src/value/keys.ts`.
    return found.filter((key) => !key.startsWith(`{${namespace}:value:lasts`))
  }
  const audit = async (what: string) => expect([what, await immortal()]).toEqual([what, []])

  /** The scripts of a room that have not run on this server, which nobody else has asked. */
  const notRun = async (scripts: Record<string, unknown>): Promise<readonly string[]> => {
    const sources = Object.values(scripts).map((script) => (script as { source: { name: string; sha: string } }).source)
    const known = await server.command<number[]>('SCRIPT', 'EXISTS', ...sources.map(({ sha }) => sha))
    return sources.filter((_, i) => known[i] !== 1).map(({ name }) => name)
  }

  it('of locks', async () => {
    const gates = (at: Holdfast) => [at.lock('l'), at.rwLock('g'), at.semaphore('s', { permits: 1 })] as const
    for (const [i, gate] of gates(hf).entries()) {
      const takeFrom = (at: Holdfast, options = {}) => {
        const one = gates(at)[i] as Lock | RwLock | Semaphore
        return ('write' in one ? one.write() : one).acquire(options)
      }
      const held = await takeFrom(hf)
      await audit(`${gate.name} taken`)
      await held.extend('1m')
      await audit(`${gate.name} extended`)
      const giveUp = new AbortController()
      const leaving = takeFrom(hf, { signal: giveUp.signal })
      await vi.waitFor(async () => expect((await gate.inspect()).waiting).toBe(1), soon)
      const next = takeFrom(other)
      await vi.waitFor(async () => expect((await gate.inspect()).waiting).toBe(2), soon)
      await audit(`${gate.name} waited for`)
      giveUp.abort(new Error('not any more'))
      await expect(leaving).rejects.toThrow('not any more')
      await vi.waitFor(async () => expect((await gate.inspect()).waiting).toBe(1), soon)
      await audit(`${gate.name} waited for by one less`)
      await held.release()
      await audit(`${gate.name} given on`)
      if ('forceRelease' in gate) await gate.forceRelease()
      else await (await next).release()
      await audit(`${gate.name} taken away, or let go`)
      await next
    }
    await (await hf.locks(['a', 'b']).acquire()).release()
    await audit('several at once')
    const reader = await hf.rwLock('g').read().acquire()
    await audit('read')
    await reader.release()
    const elected = new Promise<void>((resolve) => {
      const leader = hf.leader('boss', { ttl: '300ms', onElected: () => resolve() })
      closing.push(() => leader.close())
    })
    await elected
    await audit('a leader')
  })

  it('of what waits, of what is renewed, and of what runs once', async () => {
    const [held, permit] = await Promise.all([
      hf.lock('l', { ttl: '120ms' }).acquire(),
      hf.semaphore('s', { permits: 1, ttl: '120ms' }).acquire(),
    ])
    const waiting = [other.lock('l').acquire(), other.semaphore('s', { permits: 1 }).acquire()]
    let finish: ((result: number) => void) | undefined
    const running = hf.once('k', () => new Promise<number>((resolve) => (finish = resolve)), {
      ttl: '1s',
      lease: '120ms',
    })
    await vi.waitFor(() => expect(finish).toBeDefined(), soon)
    const result = other.once('k', () => 0, { ttl: '1s' })
    // Waiters look twice a second, holders renew at a third of their lease: until each of these has run.
    await vi.waitFor(async () => expect(await notRun(lockScripts)).toEqual(['lock/finish-once']), soon)
    await audit('renewed and waited for')
    finish?.(7)
    expect(await Promise.all([running, result])).toEqual([7, 7])
    await audit('a result')
    await hf.once('no', () => Promise.reject(new Error('no')), { ttl: '1s', keepErrors: true }).catch(() => {})
    await audit('an error that is kept')
    await hf.once('no 2', () => Promise.reject(new Error('no')), { ttl: '1s' }).catch(() => {})
    await audit('an error that is not')
    await Promise.all([held.release(), permit.release()])
    for (const next of await Promise.all(waiting)) await next.release()
    await audit('all let go')
    expect(await notRun(lockScripts)).toEqual([])
  })

  it('of limits', async () => {
    const algorithms = ['gcra', 'bucket', 'fixed', 'sliding', 'log', 'concurrency'] as const
    const rules = algorithms.map((algorithm) => ({ algorithm, name: algorithm, limit: 3, per: '10s' }) as const)
    for (const each of [...rules.map((rule) => [rule]), rules]) {
      const limiter = hf.limiter(each.map(({ name }) => name).join(), { rules: each })
      const turn = await limiter.consume('ann', { cost: 2 })
      await audit(`${limiter.name} counted`)
      expect((await limiter.consume('ann', { cost: 2 })).allowed).toBe(false)
      await audit(`${limiter.name} refused`)
      await limiter.peek('ann')
      await turn.extend()
      await audit(`${limiter.name} extended`)
      await limiter.refund('ann', 3)
      await limiter.refund('nobody', 3)
      await audit(`${limiter.name} given back`)
      await turn.release()
      await limiter.consume('ann', { cost: 0 })
      await audit(`${limiter.name} asked for nothing`)
      await limiter.block('ann', '1s')
      await limiter.block('ben', '1s')
      await audit(`${limiter.name} blocked`)
      await limiter.block('ann', 0)
      await limiter.block('nobody', 0)
      await audit(`${limiter.name} not blocked any more`)
      await limiter.reset('ben')
    }
    expect(await notRun(limitScripts)).toEqual([])
  })

  it('of sessions and users', async () => {
    const sessions = hf.sessions<Record<string, unknown>>({ idle: '400ms', absolute: '10s' })
    const nobody = await sessions.create({ a: 1 })
    const [one, two, three] = await Promise.all([1, 2, 3].map((n) => sessions.create({ n }, { userId: 'ann' })))
    await audit('made')
    await sessions.update(nobody.id, { b: 2 })
    await sessions.update(nobody.id, { a: undefined })
    await audit('changed')
    const again = await sessions.regenerate(nobody.id, { userId: 'ben' })
    await sessions.regenerate(one!.id)
    await audit('another id')
    // The list is lost, and written anew by a touch.
    await server.command('DEL', `{${namespace}:session-user:default:ann}`)
    await vi.waitFor(async () => {
      await sessions.load(two!.id)
      expect(await sessions.listFor('ann')).toHaveLength(1)
    }, soon)
    await audit('touched')
    await sessions.update(three!.id, { late: true })
    await sessions.revoke('ann', (await sessions.listFor('ann'))[0]?.ref ?? '')
    await audit('revoked')
    const kept = await sessions.create({}, { userId: 'ann' })
    await sessions.create({}, { userId: 'ann' })
    await sessions.revokeAll('ann', { except: kept.id })
    await audit('all but one revoked')
    await sessions.destroy(again!.id)
    await sessions.update(again!.id, { ghost: true })
    await sessions.revokeAll('never seen')
    await audit('ended')
    expect(await notRun(sessionScripts)).toEqual([])
  })

  it('of values that are to end, and of those that were deleted', async () => {
    const value = hf.value<number, string>('ends', { ttl: '10s' })
    await value.set(1)
    await value.update((n) => (n ?? 0) + 1, { log: () => 'more' })
    await audit('set and updated')
    await value.delete()
    await audit('deleted')
    const lasting = hf.value<number, string>('lasts')
    await lasting.update(() => 1, { log: () => 'more' })
    expect(await server.command('PTTL', `{${namespace}:value:lasts}`)).toBe(-1)
    await lasting.update((n) => n, { ttl: '10s' })
    await lasting.update((n = 0) => n + 1, { ttl: '10s' })
    for (const key of ['', ':log'])
      expect(await server.command('PTTL', `{${namespace}:value:lasts}${key}`)).toBeGreaterThan(0)
    await lasting.set(3)
    await lasting.delete()
    expect(await server.command('PTTL', `{${namespace}:value:lasts}`)).toBeGreaterThan(0)
    expect(await notRun(valueScripts)).toEqual([])
  })
})

describe('what is often got wrong', () => {
  it('a lock deleted without its token: naively it is taken from the next holder, here it is gone and his stays', async () => {
    // Naively: A's lease ends, B takes the lock, A deletes it, and C has it beside B.
    await server.command('SET', 'naive', 'A', 'NX', 'PX', 1)
    await vi.waitFor(async () => expect(await server.command('SET', 'naive', 'B', 'NX', 'PX', 60_000)).toBe('OK'), soon)
    await server.command('DEL', 'naive')
    expect(await server.command('SET', 'naive', 'C', 'NX', 'PX', 1)).toBe('OK')

    const a = await hf.lock('l', { ttl: '20ms', extend: 'manual' }).acquire()
    const b = await other.lock('l').acquire()
    expect(await a.release()).toBe('gone')
    expect([await hf.lock('l').tryAcquire(), b.valid()]).toEqual([undefined, true])
    await expect(a.extend('1m')).rejects.toMatchObject({ code: 'LOCK_LOST' })
    expect(await b.release()).toBe('released')
  })

  it('a lock that ends before its job: naively two work at once and nobody knows, here it lasts as long as the job', async () => {
    // Naively: `timeout = 30`, and a job that takes 31.
    await server.command('SET', 'short', 'A', 'NX', 'PX', 40)
    await vi.waitFor(async () => expect(await server.command('SET', 'short', 'B', 'NX', 'PX', 40)).toBe('OK'), soon)

    let over = false
    const job = hf.lock('job', { ttl: '700ms' }).run(async () => {
      // Longer than its lease, by the clock of the server.
      await server.command('SET', `${namespace}:work`, '1', 'PX', 1_000)
      await vi.waitFor(async () => expect(await server.command('EXISTS', `${namespace}:work`)).toBe(0), soon)
      over = true
    })
    await vi.waitFor(async () => expect((await other.lock('job').inspect()).state).toBe('held'), soon)
    await other.lock('job').run(() => expect(over).toBe(true))
    await job
    // And where it cannot be made to last, its holder hears before it has ended.
    const held = await hf.lock('job', { ttl: '150ms', extend: 'manual' }).acquire()
    await new Promise((resolve) => held.signal.addEventListener('abort', resolve))
    expect(await other.lock('job').inspect()).toMatchObject({ state: 'held', holders: [{ fence: held.fence }] })
  })

  it('WATCH on a shared connection: naively a transaction of another caller unwatches the key, here a change is never lost', async () => {
    // Naively: A watches and reads; B, on the same connection, ends a transaction of its own; C writes; and A overwrites what C wrote.
    await server.command('SET', 'stock', 100)
    await hf.pool.use(async (shared) => {
      await shared.call('WATCH', 'stock')
      expect(Number(await shared.call('GET', 'stock'))).toBe(100)
      for (const words of [['MULTI'], ['SET', 'of another', 1], ['EXEC']] as const)
        await shared.call(...(words as ['EXEC']))
      await server.command('SET', 'stock', 999)
      await shared.call('MULTI')
      await shared.call('DECRBY', 'stock', 10)
      expect(await shared.call('EXEC')).not.toBeNull()
    })

    const stock = hf.value<number>('stock')
    await stock.set(100)
    const seen: number[] = []
    const left = await stock.update(async (n = 0) => {
      seen.push(n)
      if (seen.length === 1) {
        await hf.value<number>('of another').update(() => 1)
        await other.value<number>('stock').set(999)
      }
      return n - 10
    })
    expect({ seen, left }).toEqual({ seen: [100, 999], left: 989 })
  })
})

describe('the recipe', () => {
  let sql: Database

  beforeAll(async () => {
    sql = openPglite()
    await sql.query(
      `create table orders (id text primary key, state text not null default 'new', charge text,
       fence bigint not null default 0)`,
    )
  }, 60_000)
  afterAll(() => sql.close())

  it('of a payment keeps the write of one who woke up late from what the next holder wrote', async () => {
    await sql.query('insert into orders (id) values ($1)', ['o1'])
    const pay = async (fence: bigint, charge: string) => {
      const rows = await sql.query(
        'update orders set state = $1, charge = $2, fence = $3 where id = $4 and fence < $3 returning id',
        ['paid', charge, String(fence), 'o1'],
      )
      if (rows.length === 0) throw new Error('somebody with a higher fence was here: reload')
    }
    // The first stands still for longer than its lease, just before its statement.
    const first = await hf.lock('payment:o1', { ttl: '30ms', extend: 'manual' }).acquire()
    await other.lock('payment:o1').run(({ fence }) => pay(fence, 'ch_second'))
    await expect(pay(first.fence, 'ch_first')).rejects.toThrow('higher fence')
    expect(first.valid()).toBe(false)
    expect(await sql.query('select state, charge from orders')).toEqual([{ state: 'paid', charge: 'ch_second' }])
  })

  it('of a batch job that is done once a day runs on whichever comes first, and all know what came of it', async () => {
    let runs = 0
    const nightly = (from: Holdfast) =>
      from.once('nightly:2027-03-01', async () => ({ imported: ++runs * 100 }), { ttl: '1h', lease: '1m', wait: '1m' })
    expect(await Promise.all([hf, other, hf, other].map(nightly))).toEqual(Array(4).fill({ imported: 100 }))
    expect(await nightly(await open())).toEqual({ imported: 100 })
    // One that fails is not done.
    const failing = () => hf.once('nightly:2027-03-02', () => Promise.reject(new Error('no disk')), { ttl: '1h' })
    await expect(failing()).rejects.toThrow('no disk')
    expect(await other.once('nightly:2027-03-02', () => 'done', { ttl: '1h' })).toBe('done')
  })

  it('of a batch job that is begun at most once a day is not begun again, neither beside the first nor after it', async () => {
    const begin = (from: Holdfast) => from.lock('mail:2027-03-01', { ttl: '2d', extend: 'manual' }).tryAcquire()
    const begun = (await Promise.all([hf, other, hf, other].map(begin))).filter((held) => held !== undefined)
    expect(begun).toHaveLength(1)
    // It is not released, and outlives whoever has it.
    await Promise.all([hf.close(), other.close()])
    expect(await begin(await open())).toBeUndefined()
  })
})
