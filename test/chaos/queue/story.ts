/**
 * A queue under faults: producers add jobs without a pause, processes work on them, and meanwhile workers are killed and stand still, servers
 * are killed, replaced, moved, made full and made to forget their scripts. In the end what every process has written down, outside of Redis, is
 * compared with what was promised.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { connect, type Holdfast, type Queue } from 'holdfast'
import { testNamespace } from 'holdfast/testing'
import { type Chance, chanceOf, shuffle } from './chance.ts'
import { type ChaosJob, QUEUE, queueOptions } from './jobs.ts'
import { judge, type Remains, type Verdict } from './judge.ts'
import { Ledger, nowMicros } from './ledger.ts'
import { Producers } from './producers.ts'
import { type Fault, openSite, type Site, type Stage, TIMEOUT_MS, type Topology, tagOf } from './sites.ts'
import { Workers } from './workers.ts'

export interface QueueStoryOptions {
  readonly topology: Topology
  readonly jobs: number
  readonly workers: number
  readonly seed: number
  /** Faults are made again and again until all jobs have been added, not only once each. */
  readonly goesOn: boolean
  readonly leaseMs: number
  /** Jobs added in a second. */
  readonly rate: number
  /** Faults that are left out. */
  readonly without?: readonly string[]
}

export interface QueueStory extends Verdict {
  readonly topology: Topology
  readonly seed: number
  readonly faults: Readonly<Record<string, number>>
  /** Adds that a full server refused. */
  readonly full: number
  /** Dead letters that were given another life, since crashes were blamed on them. */
  readonly redriven: number
  readonly tookMs: number
}

const PRODUCERS = 3
/** What a worker that stands still stands beyond its lease. */
const BEYOND_MS = 500
/** All must have ended so long after the last was added, and the last fault was made. */
const DRAIN_MS = 90_000
/** Only jobs that exist have fields in these; `ids` and `running` would keep others from coming in. */
const OF_LIVING = ['delayed', 'bodies', 'ids', 'ranked', 'grouped', 'round', 'running', 'parked'] as const

export async function queueStory(options: QueueStoryOptions, say: (line: string) => void): Promise<QueueStory> {
  const { topology, jobs, seed, leaseMs } = options
  const startMs = performance.now()
  const namespace = testNamespace('chaos')
  const site = await openSite(topology, namespace)
  const ledger = new Ledger()
  const { url, addressMap, shards } = site
  const place = { url, ...(addressMap === undefined ? {} : { addressMap }) }
  const workers = new Workers(ledger, { ...place, namespace, leaseMs, shards })
  const open: Holdfast[] = []
  const openQueue = async (): Promise<Queue<ChaosJob>> => {
    const hf = await connect({ ...place, namespace, timeout: TIMEOUT_MS })
    open.push(hf)
    return hf.queue<ChaosJob>(QUEUE, queueOptions(leaseMs, shards))
  }
  try {
    const queues = await Promise.all(Array.from({ length: PRODUCERS }, openQueue))
    const chance = chanceOf(seed)
    const gate = new Gate(jobs)
    const firm = site.replicas === 0 ? undefined : () => barrier(site, namespace)
    const producers = new Producers(ledger, {
      ...{ queues, seed, rate: options.rate / PRODUCERS, firm, allow: (most: number) => gate.allow(most) },
    })
    const kinds = [...commonFaults(site, workers, producers, leaseMs), ...site.faults].filter(
      ([name]) => options.without?.includes(name) !== true,
    )
    const kills = options.goesOn ? Number.POSITIVE_INFINITY : kinds.reduce((sum, [, , count = 0]) => sum + count, 0)
    await workers.start(options.workers, kills)
    const produced = producers.run()
    // Heard where it is awaited; a fault may fail first.
    produced.catch(() => gate.open())
    const stage = stageOf(ledger, chance)
    const made: Record<string, number> = {}
    const round = { stage, ledger, gate, made, say }
    await makeFaults(shuffle(kinds, chance), round).finally(() => gate.open())
    while (options.goesOn && !gate.isEmpty)
      for (const fault of shuffle(kinds, chance)) if (!gate.isEmpty) await makeFaults([fault], round)
    await produced
    await producers.knocked()
    const remains = await finish(queues[0] as Queue<ChaosJob>, site, namespace, say)
    await workers.close(10 * leaseMs + TIMEOUT_MS)
    workers.read()
    const verdict = judge(ledger, remains, leaseMs)
    const tookMs = Math.round(performance.now() - startMs)
    return { topology, seed, faults: made, full: producers.full, redriven: remains.redriven, tookMs, ...verdict }
  } finally {
    await Promise.all(open.map((hf) => hf.close()))
    await workers.stop()
    await site.stop()
  }
}

/** In the first round it lets producers add so many jobs for each fault, so that each of them finds work under way. */
class Gate {
  #left: number
  #allowed = 0
  #waiting: (() => void)[] = []

  constructor(jobs: number) {
    this.#left = jobs
  }

  get isEmpty(): boolean {
    return this.#left === 0
  }

  /** This share of those that are not allowed yet. */
  open(share = 1): void {
    this.#allowed += Math.ceil((this.#left - this.#allowed) * share)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async allow(most: number): Promise<number> {
    while (this.#allowed <= 0 && this.#left > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const count = Math.min(most, this.#allowed, this.#left)
    this.#allowed -= count
    this.#left -= count
    return count
  }
}

function stageOf(ledger: Ledger, chance: Chance): Stage {
  return {
    chance,
    async forgets(cause, beforeMs, work) {
      const fromUs = nowMicros() - beforeMs * 1_000
      // It is not over before it is: until then all that is acknowledged may be forgotten.
      await work()
      ledger.losses.push({ cause, fromUs, toUs: nowMicros() })
    },
  }
}

interface Round {
  readonly stage: Stage
  readonly ledger: Ledger
  readonly gate: Gate
  /** How often each was made so far. */
  readonly made: Record<string, number>
  readonly say: (line: string) => void
}

async function makeFaults(faults: readonly Fault[], { stage, ledger, gate, made, say }: Round): Promise<void> {
  for (const [i, [name, make]] of faults.entries()) {
    gate.open(1 / (faults.length - i + 1))
    // Somewhere among the jobs of this fault.
    await wait(50 + stage.chance.below(200))
    const startUs = nowMicros()
    await make(stage)
    made[name] = (made[name] ?? 0) + 1
    const [fromMs, tookMs] = [startUs - ledger.startUs, nowMicros() - startUs].map((us) => Math.round(us / 1_000))
    say(`${name.padEnd(40)} at ${fromMs} ms for ${tookMs} ms, ${ledger.added.size} jobs added so far`)
  }
}

/** What can be done on every topology. */
function commonFaults(site: Site, workers: Workers, producers: Producers, leaseMs: number): readonly Fault[] {
  return [
    ['worker killed', ({ chance }) => workers.kill(chance), 1],
    [
      'two workers killed at once',
      async ({ chance }) => {
        await Promise.all([workers.kill(chance), workers.kill(chance)])
      },
      2,
    ],
    ['worker stands still past its lease', ({ chance }) => workers.freeze(chance, leaseMs + BEYOND_MS)],
    [
      'scripts forgotten',
      async () => {
        for (const server of await site.primaries()) await server.command('SCRIPT', 'FLUSH')
      },
    ],
    [
      'server full',
      async () => {
        const before = producers.full
        const servers = await site.primaries()
        for (const server of servers) await server.command('CONFIG', 'SET', 'maxmemory', '1')
        // Also where all others have been added.
        producers.knock()
        for (let looks = 0; producers.full === before && looks < 50; looks++) await wait(20)
        for (const server of servers) await server.command('CONFIG', 'SET', 'maxmemory', '0')
      },
    ],
  ]
}

/** Resolves with a look that says whether every replica has by then what was written meanwhile. */
async function barrier(site: Site, namespace: string): Promise<(() => Promise<boolean>) | undefined> {
  const shards = Array.from({ length: site.shards }, (_, shard) => site.primaryOf(shard))
  // While servers change nobody may know which it is.
  const before = await Promise.all(shards).catch(() => undefined)
  if (before === undefined) return undefined
  return async () => {
    try {
      for (const [shard, server] of before.entries()) {
        // On this server's own connection: WAIT counts what that has written, which comes after all that was acknowledged.
        await server.command('SET', `${tagOf(namespace, shard)}:barrier`, '1')
        if ((await server.command<number>('WAIT', site.replicas, 2_000)) < site.replicas) return false
      }
      return true
    } catch {
      // Dead, or not the primary any more: then nothing is known.
      return false
    }
  }
}

/** Waits until all has ended, gives those another life that crashes were blamed on, and looks for what is left over. */
async function finish(
  queue: Queue<ChaosJob>,
  site: Site,
  namespace: string,
  say: (line: string) => void,
): Promise<Remains & { readonly redriven: number }> {
  const dead = new Map<string, string>()
  const stuck: string[] = []
  let redriven = 0
  for (;;) {
    const rest = await drained(queue)
    if (rest !== undefined) stuck.push(rest)
    for (const { data, reason } of await queue.deadLetters({ limit: 10_000 }))
      if (!dead.has(data.key)) dead.set(data.key, reason)
    const again = await queue.redrive({ filter: ({ reason }) => reason !== 'given-up' })
    const { length } = again.ids
    redriven += length
    if (length === 0 || rest !== undefined) break
    say(`${length} dead letters that died of crashes live again`)
  }
  await queue.purge()
  const { dead: left } = await queue.counts()
  if (left > 0) stuck.push(`${left} dead letters after a purge`)
  for (let shard = 0; shard < site.shards; shard++) {
    const server = await site.primaryOf(shard)
    for (const part of OF_LIVING)
      if ((await server.command('EXISTS', `${tagOf(namespace, shard)}:${part}`)) !== 0)
        stuck.push(`shard ${shard} still has '${part}'`)
  }
  return { stuck, tallies: await queue.tallies(), dead, redriven }
}

/** What is left when no more ends; undefined when all has ended. */
async function drained(queue: Queue<ChaosJob>): Promise<string | undefined> {
  const startMs = performance.now()
  for (;;) {
    const { waiting, active, delayed } = await queue.counts()
    if (waiting + active + delayed === 0) return undefined
    if (performance.now() - startMs > DRAIN_MS) return `${waiting} waiting, ${active} active, ${delayed} delayed`
    await wait(30)
  }
}
