// Sales that wait for replicas, against replicas that sleep, are gone, or were never there.
import { connect, type Holdfast, type Seats, type SeatsOptions } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { Redis } from '../../src/redis/redis.ts'
import { resolveSettings } from '../../src/redis/settings.ts'

const HALL = { currency: 'EUR', sections: [{ name: 'A', rows: 100, seatsPerRow: 100, price: 4999 }] }
/** What a busy machine may add. */
const SLACK_MS = 400

const closing: (() => Promise<unknown>)[] = []
const warnings: Error[] = []
const noteWarning = (warning: Error) => warnings.push(warning)
process.on('warning', noteWarning)
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  warnings.length = 0
})

async function start(config: Record<string, string | number> = {}, appendOnly = false): Promise<TestServer> {
  const server = await startServer({ config, appendOnly })
  closing.push(async () => {
    if (server.paused) await server.resume()
    await server.stop()
  })
  return server
}

/**
 * Waits until that many replicas take what is written. A replica is `online`, and has the first write in its copy, up to a second before
 * it is sent the next.
 */
const linked = (primary: TestServer, count: number) =>
  vi.waitFor(
    async () => {
      for (const write of ['copied', 'sent']) {
        await primary.command('SET', 'linked', write)
        expect(await primary.command('WAIT', count, 200)).toBe(count)
      }
    },
    { timeout: 20_000 },
  )
/** A full sync begins when it is asked for, not 5 s later. */
const AT_ONCE = { 'repl-diskless-sync-delay': 0 }

async function startPair(count: number, appendOnly = false) {
  const primary = await start(AT_ONCE, appendOnly)
  const config = { replicaof: `127.0.0.1 ${primary.port}` }
  const replicas = await Promise.all(Array.from({ length: count }, () => start(config, appendOnly)))
  await linked(primary, count)
  return { primary, replicas }
}

async function open(url: string, options: SeatsOptions = { durability: 'replica' }, timeout = 1_000) {
  const hf: Holdfast = await connect(url, { namespace: testNamespace('durable'), timeout })
  closing.push(() => hf.close())
  const night = hf.seats('night', options)
  await night.create(HALL)
  return { hf, night }
}

let last = 0
/** Holds a seat nobody has had, and answers the hold's id. */
async function holdOne(night: Seats): Promise<string> {
  const n = last++
  const seats = [`A-${Math.floor(n / 100) + 1}-${(n % 100) + 1}`]
  const { id } = await night.hold({ id: `h${n}`, customer: 'ann', seats })
  return id
}

const durable = async (answer: ReturnType<Seats['confirm']>) => {
  const said = await answer
  if (said.status !== 'confirmed') throw new Error(`expected a sale, and got ${JSON.stringify(said)}`)
  return said.durable
}

async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  const startedMs = performance.now()
  const value = await work
  return { value, ms: performance.now() - startedMs }
}

/** How often the server carried out a command. */
const calls = async (server: TestServer, command: string) =>
  Number(
    new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0,
  )

it('says false within the deadline while a replica sleeps, and true to a repeat when it is awake', async () => {
  const { primary, replicas } = await startPair(1)
  const { night } = await open(primary.url)
  expect(await durable(night.confirm(await holdOne(night)))).toBe(true)
  await replicas[0]!.pause()
  const id = await holdOne(night)
  const first = await timed(durable(night.confirm(id)))
  expect(first.value).toBe(false)
  expect(first.ms).toBeGreaterThan(800)
  expect(first.ms).toBeLessThan(1_000 + SLACK_MS)
  // A repeat changes nothing, and is told no more than the first was.
  expect(await durable(night.confirm(id))).toBe(false)
  expect(await night.counts()).toMatchObject({ sold: 2 })
  await replicas[0]!.resume()
  expect(await durable(night.confirm(id))).toBe(true)
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('takes no word for a sale that another process made while the replica slept', async () => {
  const { primary, replicas } = await startPair(1)
  const { hf, night } = await open(primary.url, { durability: 'replica' }, 600)
  const id = await holdOne(night)
  await replicas[0]!.pause()
  // Made without waiting, by another connection: the one that is asked to wait has written nothing yet.
  expect(await durable(night.confirm(id, { durability: 'async' }))).toBe(false)
  expect(await durable(hf.seats('night').confirm(id, { durability: 'replica' }))).toBe(false)
  await replicas[0]!.resume()
  expect(await durable(night.confirm(id))).toBe(true)
})

it('waits for all replicas: one that sleeps makes a sale not durable, though the other has it', async () => {
  const { primary, replicas } = await startPair(2)
  const { night } = await open(primary.url, { durability: 'replica' }, 600)
  expect(await durable(night.confirm(await holdOne(night)))).toBe(true)
  await replicas[1]!.pause()
  const id = await holdOne(night)
  expect(await durable(night.confirm(id))).toBe(false)
  const key = (await replicas[0]!.command<string[]>('KEYS', '*:night}'))[0] as string
  expect(await replicas[0]!.command('HGET', key, `hold:${id}`)).toMatch(/^s/)
  await replicas[1]!.resume()
  expect(await durable(night.confirm(id))).toBe(true)
})

it('says false at once where no replica is configured, and waits for one that comes', async () => {
  const primary = await start(AT_ONCE)
  const { night } = await open(primary.url)
  const id = await holdOne(night)
  const alone = await timed(durable(night.confirm(id)))
  expect(alone).toMatchObject({ value: false })
  expect(alone.ms).toBeLessThan(SLACK_MS)
  expect(await calls(primary, 'wait')).toBe(0)
  await start({ replicaof: `127.0.0.1 ${primary.port}` })
  await linked(primary, 1)
  await vi.waitFor(async () => expect(await durable(night.confirm(id))).toBe(true), { timeout: 5_000 })
})

it('lets many sales wait together', async () => {
  const { primary } = await startPair(1)
  const { night } = await open(primary.url, { durability: 'replica' }, 10_000)
  const ids = await Promise.all(Array.from({ length: 1_280 }, () => holdOne(night)))
  const queue = [...ids]
  const waitedBefore = await calls(primary, 'wait')
  const caller = async () => {
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) expect(await durable(night.confirm(id))).toBe(true)
  }
  await Promise.all(Array.from({ length: 64 }, caller))
  const waits = (await calls(primary, 'wait')) - waitedBefore
  expect(waits).toBeGreaterThan(0)
  expect(waits).toBeLessThan(ids.length / 16)
  // On connections of their own: at most two, and the common one is never blocked.
  expect(String(await primary.command('CLIENT', 'LIST')).match(/:durable /g)?.length).toBeLessThanOrEqual(2)
  expect(await night.verify()).toMatchObject({ ok: true })
})

it('sends what comes while others wait for a replica that sleeps, each by its own deadline', async () => {
  const { primary, replicas } = await startPair(1)
  const { hf, night } = await open(primary.url, { durability: 'replica' }, 2_000)
  const ids = await Promise.all(Array.from({ length: 8 }, () => holdOne(night)))
  expect(await durable(night.confirm(ids[0] as string))).toBe(true)
  await replicas[0]!.pause()
  const confirms = ids.slice(1).map((id) => night.confirm(id))
  // Others see them at once: sold, and only the word on the replicas is still to come.
  await vi.waitFor(async () => expect(await night.counts()).toMatchObject({ sold: 8 }), { timeout: 1_000 })
  expect(await hf.pool.use((own) => own.call('PING'))).toBe('PONG')
  await replicas[0]!.resume()
  for (const confirm of confirms) expect(await durable(confirm)).toBe(true)
})

it('writes again and waits anew when the connection breaks between the write and the word of the replicas', async () => {
  const { primary, replicas } = await startPair(1)
  const proxy = await startProxy({ target: primary })
  closing.push(() => proxy.close())
  const { night } = await open(proxy.url, { durability: 'replica' }, 5_000)
  const ids = [await holdOne(night), await holdOne(night)]
  expect(await durable(night.confirm(ids[0] as string))).toBe(true)
  await replicas[0]!.pause()
  const confirming = night.confirm(ids[1] as string)
  await vi.waitFor(async () => expect(await night.counts()).toMatchObject({ sold: 2 }))
  const before = await calls(primary, 'evalsha')
  proxy.cut()
  await vi.waitFor(async () => expect((await calls(primary, 'evalsha')) - before).toBeGreaterThan(0))
  await replicas[0]!.resume()
  expect(await durable(confirming)).toBe(true)
})

it('is never true for what a primary forgot that was killed before its replica had it', async () => {
  const { primary, replicas } = await startPair(1)
  const { night } = await open(primary.url, { durability: 'replica' }, 3_000)
  const id = await holdOne(night)
  await replicas[0]!.pause()
  const confirming = night.confirm(id)
  await vi.waitFor(async () => expect(await night.counts()).toMatchObject({ sold: 1 }))
  // Comes back empty, and with a replica that agrees with it: the repeat meets an event that is not there.
  await primary.restart({ empty: true })
  await replicas[0]!.resume()
  const answer = await confirming
  expect(answer.status === 'confirmed' && answer.durable).toBe(false)
  expect(answer).toMatchObject({ status: 'gone', reason: 'no-event' })
})

it('answers by its deadline while the primary itself is frozen', async () => {
  const { primary } = await startPair(1)
  const { night } = await open(primary.url, { durability: 'replica' }, 600)
  const ids = [await holdOne(night), await holdOne(night)]
  expect(await durable(night.confirm(ids[0] as string))).toBe(true)
  await primary.pause()
  const { value, ms } = await timed(night.confirm(ids[1] as string).catch((error) => error))
  expect(value).toMatchObject({ code: 'TIMEOUT', operation: 'seats.confirm', sent: true })
  expect(ms).toBeLessThan(600 + SLACK_MS)
  await primary.resume()
  await vi.waitFor(async () => expect(await durable(night.confirm(ids[1] as string))).toBe(true), { timeout: 5_000 })
})

const hasWaitAof = async (server: TestServer) =>
  (await server.command<(string | null)[]>('COMMAND', 'INFO', 'WAITAOF'))[0] !== null

it("meets 'fsync' when the disks of the primary and of its replicas have it", async ({ skip }) => {
  const { primary, replicas } = await startPair(1, true)
  if (!(await hasWaitAof(primary))) return skip('this server has no WAITAOF')
  const { night } = await open(primary.url, { durability: 'fsync' }, 3_000)
  const ids = await Promise.all(Array.from({ length: 50 }, () => holdOne(night)))
  const answers = await Promise.all(ids.slice(1).map((id) => durable(night.confirm(id))))
  expect(answers).toEqual(answers.map(() => true))
  await replicas[0]!.pause()
  expect(await durable(night.confirm(ids[0] as string))).toBe(false)
  await replicas[0]!.resume()
  expect(await durable(night.confirm(ids[0] as string))).toBe(true)
  await primary.restart()
  await vi.waitFor(async () => expect(await night.counts()).toMatchObject({ sold: 50 }), { timeout: 5_000 })
})

it("meets 'fsync' on a disk alone, and says what is missing where there is no disk either", async ({ skip }) => {
  const alone = await start({}, true)
  if (!(await hasWaitAof(alone))) return skip('this server has no WAITAOF')
  const onDisk = await open(alone.url, { durability: 'fsync' }, 3_000)
  expect(await durable(onDisk.night.confirm(await holdOne(onDisk.night)))).toBe(true)
  const inMemory = await open((await start()).url, { durability: 'fsync' })
  expect(await durable(inMemory.night.confirm(await holdOne(inMemory.night)))).toBe(false)
  await vi.waitFor(() => expect(warnings.map(({ message }) => message).join()).toMatch(/no append-only file/))
})

it("keeps through a kill -9 each job whose add said that it has met 'fsync'", async ({ skip }) => {
  const server = await start({}, true)
  if (!(await hasWaitAof(server))) return skip('this server has no WAITAOF')
  const hf = await connect(server.url, { namespace: testNamespace('durable'), timeout: 5_000 })
  closing.push(() => hf.close())
  const queue = hf.queue<number>('jobs', { durability: 'fsync', shards: 2 })
  const answers = await Promise.all([
    ...Array.from({ length: 20 }, (_, i) => queue.add(i, i % 2 === 0 ? { id: `own ${i}` } : { delay: '1h' })),
    queue.addMany([20, 21, 22]),
  ])
  expect(answers.flat().map(({ durable }) => durable)).toEqual(answers.flat().map(() => true))
  // It exists, and its add waits again.
  expect(await queue.add(0, { id: 'own 0' })).toEqual({ id: 'own 0', added: false, durable: true })
  await server.kill()
  await server.restart()
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ waiting: 13, delayed: 10 }), {
    timeout: 5_000,
  })
})

it("says once that a server which has no WAITAOF cannot meet 'fsync', and sells all the same", async ({ skip }) => {
  const { primary } = await startPair(1)
  if (await hasWaitAof(primary)) return skip('this server has WAITAOF')
  const { night } = await open(primary.url, { durability: 'fsync' })
  const ids = await Promise.all(Array.from({ length: 20 }, () => holdOne(night)))
  const answers = await Promise.all(ids.map((id) => durable(night.confirm(id))))
  expect(answers).toEqual(ids.map(() => false))
  expect(await durable(night.confirm(ids[0] as string, { durability: 'replica' }))).toBe(true)
  await vi.waitFor(() => expect(warnings.length).toBeGreaterThan(0))
  const own = warnings.filter((warning) => (warning as { code?: string }).code === 'HOLDFAST_DURABILITY')
  expect(own.map(({ message }) => message)).toEqual([expect.stringMatching(/'fsync' cannot be met.*WAITAOF.*7\.2/)])
})

it('names the right that is missing, and sells all the same', async () => {
  const primary = await startServer({ users: { app: 'on >pw ~* &* +@all -wait' }, config: AT_ONCE })
  closing.push(() => primary.stop())
  const url = primary.url.replace('redis://', 'redis://app:pw@')
  await start({
    replicaof: `127.0.0.1 ${primary.port}`,
    masteruser: 'app',
    masterauth: 'pw',
  })
  await linked(primary, 1)
  const { night } = await open(url)
  expect(await durable(night.confirm(await holdOne(night)))).toBe(false)
  await vi.waitFor(() => {
    const codes = warnings.map((warning) => (warning as { code?: string }).code)
    expect(codes).toContain('HOLDFAST_DURABILITY')
    expect(codes).toContain('HOLDFAST_RIGHTS')
  })
  expect(warnings.map(({ message }) => message).join('\n')).toMatch(/Grant: \+wait/)
})

it('waits though somebody keeps all connections of the pool, and confirms meanwhile', async () => {
  const { primary } = await startPair(1)
  const hf = await connect(primary.url, { namespace: testNamespace('durable'), pool: { max: 1 } })
  closing.push(() => hf.close())
  const night = hf.seats('night', { durability: 'replica' })
  await night.create(HALL)
  const id = await holdOne(night)
  expect(await hf.pool.use(() => durable(night.confirm(id)))).toBe(true)
})

it('keeps the answer of a write that may not be repeated, when its connection breaks', async () => {
  const { primary, replicas } = await startPair(1)
  const proxy = await startProxy({ target: primary })
  closing.push(() => proxy.close())
  const redis = new Redis(resolveSettings(proxy.url, { namespace: testNamespace('durable'), timeout: '5s' }))
  closing.push(() => redis.close())
  const key = redis.keyspace.entity('test', 'n')
  const incr = () => redis.callDurably(key, 'INCR', [key], { operation: 'test.once', repeat: false }, 'replica')
  expect(await incr()).toEqual({ reply: 1, durable: true })
  await replicas[0]!.pause()
  const counting = incr()
  await vi.waitFor(async () => expect(await primary.command('GET', key)).toBe('2'))
  proxy.cut()
  expect(await counting).toEqual({ reply: 2, durable: false })
  expect(await primary.command('GET', key)).toBe('2')
})

it('closes while sales wait, telling each how it stands, and leaves no connection', async () => {
  const { primary, replicas } = await startPair(1)
  const { hf, night } = await open(primary.url, { durability: 'replica' }, 700)
  const ids = await Promise.all(Array.from({ length: 5 }, () => holdOne(night)))
  await replicas[0]!.pause()
  const confirms = ids.map((id) => durable(night.confirm(id)))
  await vi.waitFor(async () => expect(await night.counts()).toMatchObject({ sold: 5 }))
  await hf.close()
  expect(await Promise.all(confirms)).toEqual(ids.map(() => false))
  await vi.waitFor(async () => expect(await primary.command('CLIENT', 'LIST')).not.toMatch(/name=holdfast/))
})
