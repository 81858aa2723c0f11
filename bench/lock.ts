/**
 * Locks against the raw client, in the same run: `npm run bench -- lock [--peers] [--json] [--rounds N]`. A pair is one lock taken and released;
 * the floor is SET NX and a script that compares and deletes. The hand-over is 16 waiters of one lock, each with 1 ms of work, until all
 * have had it; its floor is a token that is handed on by BLPOP and RPUSH, a connection for each waiter.
 */
import { connect, type Holdfast } from 'holdfast'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { contendersIn, type OneVerbPeer, openPeers } from './harness/peer-module.ts'
import { type Row, report, rowsOf } from './harness/report.ts'
import { measure, median } from './harness/rounds.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const rounds = Number(flag('rounds') ?? 9)
const SLICE_MS = 200
const WAITERS = 16

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench', timeout: '10s' })
const compareAndDelete = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
const release = String(await raw.script('LOAD', compareAndDelete))

const others = await openPeers<OneVerbPeer & { scenario: string }>('locks.mjs', server.url)
const rows: Row[] = []
for (const [callers, name] of [
  [1, 'lock pair, one at a time'],
  [100, 'lock pair, 100 locks at once'],
] as const) {
  const locks = Array.from({ length: callers }, (_, i) => hf.lock(`pair:${i}`))
  const rawPair = async (turn: number) => {
    const key = `raw:${turn % callers}:${Math.floor(turn / callers) % 2}`
    const token = `${turn}`
    await raw.set(key, token, 'PX', 30_000, 'NX')
    await raw.evalsha(release, 1, key, token)
  }
  const free = [...locks]
  const ownPair = async () => {
    const lock = free.pop()!
    const held = await lock.tryAcquire()
    if (held === undefined) throw new Error('a lock that nobody holds was not to be had')
    await held.release()
    free.push(lock)
  }
  const measured = await measure(
    [
      { name: 'ioredis SET NX, script', run: rawPair },
      { name: 'holdfast, with a fence', run: ownPair },
      ...contendersIn(others, 'pair'),
    ],
    { callers, rounds, sliceMs: SLICE_MS },
  )
  rows.push(...rowsOf(name, measured, callers === 1 ? {} : { 'holdfast, with a fence': 1.1 }))
}
rows.push(...(await handOver()))

report(
  `Locks against the raw client (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`,
  rows,
)
await hf.close()
await others.close()
raw.disconnect()
await server.stop()

/** 16 waiters of four instances, until all have had the lock. */
async function handOver(): Promise<readonly Row[]> {
  const instances = await Promise.all(
    Array.from({ length: 4 }, () => connect(server.url, { namespace: 'bench', timeout: '10s' })),
  )
  const clients = Array.from({ length: WAITERS }, () => new RawClient(server.port, '127.0.0.1'))
  const [own, floor]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds + 2; round++) {
    const ms = [await handOverOwn(instances), await handOverRaw(clients)]
    // Twice unmeasured: connections open, and the compiler has seen each path.
    if (round < 2) continue
    own.push(ms[0]!)
    floor.push(ms[1]!)
  }
  await Promise.all(instances.map((instance) => instance.close()))
  for (const client of clients) client.disconnect()
  const figure = (ms: readonly number[]) =>
    `${median(ms).toFixed(1)} ms (${Math.min(...ms).toFixed(1)}–${Math.max(...ms).toFixed(1)})`
  const scenario = `${WAITERS} waiters on one lock, 1 ms of work each`
  return [
    { scenario, contender: 'ioredis BLPOP, RPUSH', figure: figure(floor) },
    { scenario, contender: 'holdfast', figure: figure(own), target: '≤ 28 ms', reached: median(own) <= 28 },
  ]
}

function work(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}

async function handOverOwn(instances: readonly Holdfast[]): Promise<number> {
  const held = await hf.lock('one').acquire()
  const waiting = Array.from({ length: WAITERS }, (_, i) => instances[i % 4]!.lock('one').run(work))
  while ((await hf.lock('one').inspect()).waiting < WAITERS) await work()
  const start = performance.now()
  await held.release()
  await Promise.all(waiting)
  return performance.now() - start
}

async function handOverRaw(clients: readonly RawClient[]): Promise<number> {
  const waiting = clients.map(async (client) => {
    await client.blpop('token', 0)
    await work()
    await client.rpush('token', '1')
  })
  await work()
  const start = performance.now()
  await raw.rpush('token', '1')
  await Promise.all(waiting)
  const ms = performance.now() - start
  await raw.del('token')
  return ms
}
