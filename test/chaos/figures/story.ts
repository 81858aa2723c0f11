/**
 * Figures under faults: processes count, measure, move a place each and call what a breaker protects, all without a pause, and meanwhile some
 * are killed and stand still, servers are killed, replaced, moved, frozen, made full, emptied and made to forget their scripts. In the end what
 * is found is compared with what every process has written down outside of Redis.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { connect, type Holdfast } from 'holdfast'
import { startProxy, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { findPlaces } from '../../../src/geo/finder.ts'
import { GeoKeys } from '../../../src/geo/keys.ts'
import { checkNearby } from '../../../src/geo/options.ts'
import { GeoStore } from '../../../src/geo/store.ts'
import { Holdfast as Instance } from '../../../src/holdfast.ts'
import { chanceOf, shuffle } from '../queue/chance.ts'
import { type Loss, nowMicros } from '../queue/ledger.ts'
import { type Fault, openSite, type Site, type Stage, TIMEOUT_MS, type Topology } from '../queue/sites.ts'
import { Counters } from './counters.ts'
import { type Disturbance, type Found, judge, type Verdict } from './judge.ts'
import { SITE, tagOf, VANS } from './plan.ts'

export interface FiguresOptions {
  readonly topology: Topology
  readonly processes: number
  /** How often all faults are made, in another order each time. */
  readonly rounds: number
  readonly seed: number
  /** Others take the places of the processes that are killed. */
  readonly replaces: boolean
  /** Faults that are left out. */
  readonly without?: readonly string[]
}

export interface FiguresStory extends Verdict {
  readonly topology: Topology
  readonly seed: number
  readonly faults: Readonly<Record<string, number>>
  readonly tookMs: number
}

/** A frozen server, and a process: shorter than what makes a group replace its primary. */
const FROZEN_MS = 500
const FULL_MS = 200
const DOWN_MS = 500
/** Replicas are this far behind at most. */
const BEHIND_MS = 1_000
const QUIET_MS = 100
const LOST_MS = 60

export async function figuresStory(options: FiguresOptions, say: (line: string) => void): Promise<FiguresStory> {
  const { topology, processes, rounds, seed, without = [] } = options
  const startMs = performance.now()
  const namespace = testNamespace('figures')
  const site = await openSite(topology, namespace, tagOf)
  const { url, addressMap } = site
  const place = { url, ...(addressMap === undefined ? {} : { addressMap }) }
  // Of a group it would stand in front of one server only.
  const proxy = site.replicas > 0 ? undefined : await startProxy({ target: (await site.primaries())[0] as TestServer })
  const counters = new Counters(proxy === undefined ? place : { url: proxy.url }, namespace)
  const [losses, disturbances, wipes]: [Loss[], Disturbance[], number[]] = [[], [], []]
  const chance = chanceOf(seed)
  const stage: Stage = {
    chance,
    async forgets(cause, beforeMs, work) {
      const fromUs = nowMicros() - beforeMs * 1_000
      await work()
      losses.push({ cause, fromUs, toUs: nowMicros() })
    },
  }
  const made: Record<string, number> = {}
  const kinds = [...faultsOf(site, counters, options), ...(proxy === undefined ? [] : faultsOn(proxy)), ...site.faults]
  try {
    await counters.start(processes)
    for (let round = 0; round < rounds; round++) {
      // What forgets all comes first: of all that comes after it, no mark may be missing.
      const faults = [...emptyingOf(site, wipes), ...shuffle(kinds, chance)]
      for (const [name, make] of faults.filter(([name]) => !without.includes(name))) {
        await wait(QUIET_MS)
        const fromUs = nowMicros()
        await make(stage)
        disturbances.push({ fromUs, toUs: nowMicros() })
        made[name] = (made[name] ?? 0) + 1
        say(`${name.padEnd(40)} for ${Math.round((nowMicros() - fromUs) / 1_000)} ms`)
      }
    }
    await wait(QUIET_MS)
    const all = await counters.close(3 * TIMEOUT_MS)
    await using hf = await connect({ ...place, namespace, timeout: TIMEOUT_MS })
    const verdict = judge(all, await look(hf, counters.names), losses, disturbances, wipes.at(-1))
    const problems = [...verdict.problems, ...(await wholes(hf, all.length, verdict))]
    return { topology, seed, faults: made, tookMs: Math.round(performance.now() - startMs), ...verdict, problems }
  } finally {
    await counters.stop()
    await proxy?.close()
    await site.stop()
  }
}

/** Whom its group has replaced meanwhile closes the connections of all, also of who wakes it. */
const wake = (server: TestServer): Promise<unknown> => server.resume().catch(() => server.command('PING'))

/** What can be done on every topology. */
function faultsOf(site: Site, counters: Counters, { replaces }: FiguresOptions): readonly Fault[] {
  const onAll = async (work: (server: TestServer) => Promise<unknown>) => {
    for (const server of await site.primaries()) await work(server)
  }
  return [
    [
      'process killed',
      async ({ chance }) => {
        await counters.kill(chance)
        if (replaces) await counters.start(1)
      },
    ],
    ['process stands still', ({ chance }) => counters.freeze(chance, FROZEN_MS)],
    ['what a breaker protects is down', () => counters.breakDown(DOWN_MS)],
    [
      'a process is killed while it is down',
      ({ chance }) => Promise.all([counters.breakDown(DOWN_MS), killLate(chance)]),
    ],
    ['scripts forgotten', () => onAll((server) => server.command('SCRIPT', 'FLUSH'))],
    [
      'server stands still',
      async ({ chance, forgets }) => {
        const servers = await site.primaries()
        const server = servers[chance.below(servers.length)] as TestServer
        const sleep = async () => {
          await server.pause()
          await wait(FROZEN_MS)
          await wake(server)
        }
        // On a busy machine a group may find that it was too long.
        await (site.replicas === 0 ? sleep() : forgets('server stood still', 0, sleep))
      },
    ],
    ...(site.replicas > 0 ? [['primary stands still until it is replaced', sleepLong] as const] : []),
    [
      'server full',
      async () => {
        await onAll((server) => server.command('CONFIG', 'SET', 'maxmemory', '1'))
        await wait(FULL_MS)
        await onAll((server) => server.command('CONFIG', 'SET', 'maxmemory', '0'))
      },
    ],
  ]

  /** It goes on taking writes for a moment when it wakes, and loses them. */
  async function sleepLong({ chance, forgets }: Stage): Promise<void> {
    const shard = chance.below(site.shards)
    const server = await site.primaryOf(shard)
    await forgets('primary stood still', BEHIND_MS, async () => {
      await server.pause()
      while ((await site.primaryOf(shard).catch(() => server)) === server) await wait(50)
      await wake(server)
      const isReplica = () => server.command('INFO', 'replication').then((told) => String(told).includes('role:slave'))
      while (!(await isReplica().catch(() => false))) await wait(50)
    })
  }

  async function killLate(chance: Stage['chance']): Promise<void> {
    await wait(DOWN_MS - 100)
    await counters.kill(chance)
    if (replaces) await counters.start(1)
  }
}

/** What was asked is done, and who asked has to ask again. */
const faultsOn = (proxy: TestProxy): readonly Fault[] => [
  [
    'answers lost',
    async () => {
      for (let i = 0; i < 3; i++) {
        proxy.dropReplies()
        await wait(LOST_MS)
        await proxy.heal()
        await wait(LOST_MS)
      }
    },
  ],
]

/** Of a group, another server would have all of it. */
function emptyingOf(site: Site, wipes: number[]): readonly Fault[] {
  if (site.replicas > 0) return []
  const empty: Fault[1] = async ({ forgets }) => {
    const [server] = (await site.primaries()) as [TestServer]
    wipes.push(nowMicros())
    await forgets('started again empty', Number.POSITIVE_INFINITY, () => server.restart({ empty: true }))
  }
  return [['server starts again empty', empty]]
}

async function look(hf: Holdfast, names: readonly string[]): Promise<ReadonlyMap<string, Found>> {
  const [site, day] = [hf.analytics(SITE), { window: '1d' } as const]
  const vans = hf.geo('vans', VANS)
  const shown = await vans.nearby({ lon: 0, lat: 0, radius: '30000km', limit: 5_000 })
  const found = names.map(async (name) => {
    const [events, amount, { count: values, errors }, van] = await Promise.all([
      site.count(name, day),
      site.sum(name, 'amount', day),
      hf.monitor.stats(name, day),
      vans.get(name),
    ])
    const at = shown.filter(({ id }) => id === name).map(({ lon }) => lon)
    return [name, { events, amount, values, errors, van: van?.lon, shown: at }] as const
  })
  return new Map(await Promise.all(found))
}

/** What must be the same wherever it is read: by minutes and by days, of the whole and of its parts. Answers what is not. */
async function wholes(hf: Holdfast, processes: number, verdict: Verdict): Promise<readonly string[]> {
  const [site, day] = [hf.analytics(SITE), { window: '1d' } as const]
  const [hits, top, visitors] = await Promise.all([
    site.hits('page', day),
    site.top('page', 100, day),
    site.unique('page', day),
  ])
  const problems: string[] = []
  const sum = top.reduce((total, { count }) => total + count, 0)
  if (sum !== hits) problems.push(`torn: ${hits} hits, and ${sum} of all pages`)
  // Some of each process's fifty; one standard error is 0.81 %.
  if (visitors > 1.05 * 50 * processes) problems.push(`above: ${visitors} visitors, of ${50 * processes}`)
  const points = await site.series('counter-1', { window: '2h', step: '1m' })
  const events = points.reduce((total, { count }) => total + count, 0)
  const inDays = await site.count('counter-1', day)
  if (events !== inDays) problems.push(`torn: counter-1 has ${events} events by minutes and ${inDays} by days`)
  if (verdict.found === 0) problems.push('nothing was counted')
  // What broke off, and is old enough by now, is cleared away by a search that meets it.
  const redis = Instance.redisOf(hf)
  const keys = new GeoKeys(redis.keyspace, 'vans', VANS.split)
  const places = await findPlaces(new GeoStore(redis, keys, -1), checkNearby({ lon: 0, lat: 0, radius: '30000km' }))
  const calls = Array.from({ length: VANS.split }, (_, part) => keys.cells(part)).map((key) =>
    redis.call(key, 'ZCARD', [key], { operation: 'chaos.look', repeat: true }),
  )
  const entries = (await Promise.all(calls)).reduce<number>((total, size) => total + Number(size), 0)
  if (entries !== places.length) problems.push(`left: ${entries} entries of ${places.length} places`)
  return problems
}
