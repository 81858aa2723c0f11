/**
 * Queues against raw lists, in the same run: `npm run bench -- queue [--peers] [--json] [--rounds N]`. Jobs of about 85 bytes, handlers that do
 * nothing. The floor: LPUSH to add; to work, LMOVE to a list of those under way and LREM from it, by as many loops as the concurrency
 * says, on one connection; to be told of a job, BLMOVE on a connection of its own. Nothing of the floor survives a crash by itself.
 */
import { connect, type Queue, type QueueOptions } from 'holdfast'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { openPeers } from './harness/peer-module.ts'
import { type Row, report, rowsOf } from './harness/report.ts'
import { measure, median } from './harness/rounds.ts'

const flag = (name: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const rounds = Number(flag('rounds') ?? 7)
const only = flag('only')
const wants = (part: string) => only === undefined || only === part
const SLICE_MS = 200
const BULK = 1_000

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench', timeout: '30s' })
const payloadOf = (i: number) => ({ to: `user${i % 100_000}@example.com`, template: 'welcome', locale: 'en', order: i })
interface QueuePeer {
  readonly name: string
  readonly add: (payload: object) => Promise<unknown>
  readonly addMany: (payloads: readonly object[]) => Promise<unknown>
  /** The ms it took. */
  readonly drain: (payloads: readonly object[], concurrency: number) => Promise<number>
}
const others = await openPeers<QueuePeer>('queues.mjs', server.url)
const rows: Row[] = []
let names = 0
const freshQueue = (options: QueueOptions = {}): Queue => hf.queue(`q${names++}`, options)

if (wants('add')) rows.push(...(await adding()))
if (wants('bulk')) rows.push(...(await addingMany()))
if (wants('drain'))
  for (const [concurrency, jobs] of [
    [1, 3_000],
    [10, 10_000],
    [100, 30_000],
    [500, 30_000],
  ] as const)
    rows.push(...(await draining(concurrency, jobs)))
if (wants('memory')) rows.push(await memory())
if (wants('pickup')) rows.push(...(await pickUp()))

report(
  `Queues against raw lists (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`,
  rows,
)
await others.close()
await hf.close()
raw.disconnect()
await server.stop()

async function adding(): Promise<readonly Row[]> {
  const all: Row[] = []
  for (const callers of [1, 100]) {
    const queue = freshQueue()
    const measured = await measure(
      [
        { name: 'ioredis LPUSH', run: (turn) => raw.lpush('raw', JSON.stringify(payloadOf(turn))) },
        { name: 'holdfast add', run: (turn) => queue.add(payloadOf(turn)) },
        ...others.peers.map(({ name, add }) => ({ name: `${name} add`, run: (turn: number) => add(payloadOf(turn)) })),
      ],
      { callers, rounds, sliceMs: SLICE_MS },
    )
    all.push(...rowsOf(`add, ${callers} at once`, measured, callers === 1 ? {} : { 'holdfast add': 0.95 }))
    await server.command('FLUSHALL')
  }
  return all
}

async function addingMany(): Promise<readonly Row[]> {
  const queue = freshQueue()
  const lot = (turn: number) => Array.from({ length: BULK }, (_, i) => payloadOf(turn * BULK + i))
  const empty = () => server.command('FLUSHALL')
  const measured = await measure(
    [
      {
        name: 'ioredis LPUSH',
        ready: empty,
        run: (turn) => raw.lpush('raw', ...lot(turn).map((one) => JSON.stringify(one))),
      },
      { name: 'holdfast addMany', ready: empty, run: (turn) => queue.addMany(lot(turn)) },
      ...others.peers.map(({ name, addMany }) => ({
        ...{ name: `${name}, its own call for many`, ready: empty, run: (turn: number) => addMany(lot(turn)) },
      })),
    ],
    { callers: 1, rounds, sliceMs: SLICE_MS },
  )
  await empty()
  return rowsOf(`add ${BULK} in one call (calls)`, measured, { 'holdfast addMany': 0.2 })
}

async function draining(concurrency: number, jobs: number): Promise<readonly Row[]> {
  const [own, floor, ratios]: number[][] = [[], [], []]
  const theirs = others.peers.map((peer) => ({ peer, rates: [] as number[], ratios: [] as number[] }))
  const payloads = Array.from({ length: jobs }, (_, i) => payloadOf(i))
  for (let round = 0; round < rounds + 2; round++) {
    const both = round % 2 === 0
    const first = both ? await drainRaw(payloads, concurrency) : await drainOwn(payloads, concurrency)
    const second = both ? await drainOwn(payloads, concurrency) : await drainRaw(payloads, concurrency)
    if (round < 2) continue
    const [ours, raws] = both ? [second, first] : [first, second]
    own!.push(ours)
    floor!.push(raws)
    ratios!.push(ours / raws)
    for (const { peer, rates, ratios } of theirs) {
      const rate = (payloads.length * 1_000) / (await peer.drain(payloads, concurrency))
      await server.command('FLUSHALL')
      rates.push(rate)
      ratios.push(rate / raws)
    }
  }
  const scenario = `drain, concurrency ${concurrency}`
  const figure = (rates: readonly number[]) => `${(median(rates) / 1e3).toFixed(1)}k/s`
  const ratio = median(ratios!)
  return [
    { scenario, contender: 'ioredis LMOVE, LREM', figure: figure(floor!), ratio: 1 },
    {
      ...{ scenario, contender: 'holdfast process', figure: figure(own!), ratio },
      ratioRange: [Math.min(...ratios!), Math.max(...ratios!)],
      ...(concurrency === 100 ? { target: '≥ 2', reached: ratio >= 2 } : {}),
    },
    ...theirs.map(({ peer, rates, ratios }) => ({
      ...{ scenario, contender: `${peer.name} worker`, figure: figure(rates), ratio: median(ratios) },
      ratioRange: [Math.min(...ratios), Math.max(...ratios)] as const,
    })),
  ]
}

async function drainRaw(payloads: readonly unknown[], concurrency: number): Promise<number> {
  for (let at = 0; at < payloads.length; at += BULK)
    await raw.lpush('raw', ...payloads.slice(at, at + BULK).map((one) => JSON.stringify(one)))
  let done = 0
  const handler = async (_: unknown) => void done++
  const start = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (;;) {
        const text = await raw.lmove('raw', 'running', 'RIGHT', 'LEFT')
        if (text === null) return
        await handler(JSON.parse(text))
        await raw.lrem('running', -1, text)
      }
    }),
  )
  const ms = performance.now() - start
  if (done !== payloads.length) throw new Error(`${done} of ${payloads.length} jobs ran`)
  return (done * 1_000) / ms
}

async function drainOwn(payloads: readonly unknown[], concurrency: number): Promise<number> {
  const queue = freshQueue()
  await queue.addMany(payloads)
  let done = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const start = performance.now()
  const worker = queue.process(
    async () => {
      if (++done === payloads.length) finish()
    },
    { concurrency },
  )
  await finished
  // Until the server knows it of the last one.
  await worker.close()
  const ms = performance.now() - start
  const counts = await queue.counts()
  if (counts.waiting + counts.active + counts.dead !== 0) throw new Error('a job was left')
  if (done !== payloads.length) throw new Error(`${done} of ${payloads.length} jobs ran`)
  await queue.close()
  await server.command('FLUSHALL')
  return (done * 1_000) / ms
}

async function memory(): Promise<Row> {
  const jobs = 50_000
  const used = async () => Number(/used_memory:(\d+)/.exec(String(await server.command('INFO', 'memory')))?.[1])
  const queue = freshQueue()
  await queue.add(payloadOf(0))
  const before = await used()
  await queue.addMany(Array.from({ length: jobs }, (_, i) => payloadOf(i)))
  const bytes = ((await used()) - before) / jobs
  await server.command('FLUSHALL')
  const size = Buffer.byteLength(JSON.stringify(payloadOf(12_345)))
  return {
    ...{ scenario: `a waiting job of ${size} bytes`, contender: 'holdfast', figure: `${bytes.toFixed(0)} bytes` },
    ...{ target: '≤ 130 bytes', reached: bytes <= 130 },
  }
}

/** From the add to the start of the handler, in another instance, one job at a time. */
async function pickUp(): Promise<readonly Row[]> {
  const other = await connect(server.url, { namespace: 'bench' })
  let seen = (_: number) => {}
  const [queue, blocked] = (['message', 'block'] as const).map((wake) => {
    const name = `q${names++}`
    other.queue<number>(name).process((job) => seen(job.data), { wake })
    return hf.queue<number>(name)
  }) as [Queue<number>, Queue<number>]
  const reader = new RawClient(server.port, '127.0.0.1')
  let stopped = false
  const loop = (async () => {
    while (!stopped) {
      const text = await reader.blmove('told', 'taken', 'RIGHT', 'LEFT', 0)
      if (text !== null) seen(Number(text))
    }
  })().catch(() => {})
  const one = (add: (i: number) => Promise<unknown>, i: number) =>
    new Promise<number>((resolve, reject) => {
      const start = performance.now()
      seen = () => resolve(performance.now() - start)
      add(i).catch(reject)
    })
  const pause = () => new Promise((resolve) => setTimeout(resolve, 2))
  const [own, faster, floor]: number[][] = [[], [], []]
  for (let i = 0; i < 300; i++) {
    const ours = await one((n) => queue.add(n), i)
    await pause()
    const blocks = await one((n) => blocked.add(n), i)
    await pause()
    const raws = await one((n) => raw.lpush('told', String(n)), i)
    await pause()
    if (i < 50) continue
    own!.push(ours)
    faster!.push(blocks)
    floor!.push(raws)
  }
  stopped = true
  reader.disconnect()
  await loop
  await other.close()
  const scenario = 'pick-up by an idle worker'
  const figure = (ms: number[]) => {
    const sorted = ms.toSorted((a, b) => a - b)
    return `p50 ${median(ms).toFixed(2)} ms, p99 ${sorted[Math.floor(sorted.length * 0.99)]!.toFixed(2)} ms`
  }
  return [
    { scenario, contender: 'ioredis BLMOVE', figure: figure(floor!) },
    {
      ...{ scenario, contender: 'holdfast', figure: figure(own!), ratio: median(own!) / median(floor!) },
      ...{ target: '≤ 0.75 ms', reached: median(own!) <= 0.75 },
    },
    {
      ...{
        scenario,
        contender: "holdfast, wake: 'block'",
        figure: figure(faster!),
        ratio: median(faster!) / median(floor!),
      },
      ...{ target: '≤ 0.55 ms', reached: median(faster!) <= 0.55 },
    },
  ]
}
