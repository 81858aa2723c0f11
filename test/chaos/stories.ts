import { setTimeout as wait } from 'node:timers/promises'
import { connect } from '../../src/index.ts'
import { openClusterAdmin } from '../../src/ops/cluster/index.ts'
import { startCluster, startSentinel, type TestServer } from '../../src/testing/index.ts'
import { type LoadFigures, SteadyLoad } from './steady-load.ts'

export const CALLERS = 16
export const EVENTS = 12
/** At least twice the node timeout and 2 s: what a failover takes. */
export const TIMEOUT_MS = 10_000
/** How long a caller rests between two rounds. */
const PAUSE_MS = 2
/** How long a server stands still. */
const SLEEP_MS = 5_000
/** The load runs undisturbed for so long between two faults. */
const QUIET_MS = 600

/** One fault, and how the callers fared from its beginning until every event had sold again. */
export interface Chapter extends LoadFigures {
  readonly fault: string
  /** From the end of the fault until every event had made a sale, in ms. */
  readonly recoveredMs: number
}

export interface Story {
  readonly topology: string
  readonly chapters: readonly Chapter[]
  readonly sales: number
  /** What the events' own checks, and the look for each sale, found in the end. */
  readonly problems: readonly string[]
  readonly repeats: number
  readonly redirects: number
  readonly failovers: number
}

type Fault = readonly [name: string, make: () => Promise<unknown>]

async function tell(
  topology: string,
  { url, addressMap }: { url: string; addressMap?: Readonly<Record<string, string>> },
  faults: readonly Fault[],
  onChapter: (chapter: Chapter) => void,
  pauseMs: number,
): Promise<Story> {
  const hf = await connect(url, { timeout: TIMEOUT_MS, ...(addressMap === undefined ? {} : { addressMap }) })
  const load = new SteadyLoad(hf, EVENTS, pauseMs)
  const chapters: Chapter[] = []
  try {
    await load.start(CALLERS)
    await load.salesEverywhere(TIMEOUT_MS)
    for (const [fault, make] of faults) {
      await wait(QUIET_MS)
      load.look()
      await make()
      const recoveredMs = await load.salesEverywhere(2 * TIMEOUT_MS)
      const chapter = { fault, recoveredMs, ...load.look() }
      chapters.push(chapter)
      onChapter(chapter)
    }
  } finally {
    await load.stop()
  }
  const problems = await load.verify()
  const { repeats, redirects, failovers } = hf.stats
  await hf.close()
  return { topology, chapters, sales: load.sales.length, problems, repeats, redirects, failovers }
}

/** Stops a server in its tracks for a while. */
async function sleepOver(server: TestServer): Promise<void> {
  await server.pause()
  await wait(SLEEP_MS)
  await server.resume()
}

/** A Cluster that grows, is failed over as planned, loses a primary and has another one fall asleep. */
export async function clusterStory(
  rounds: number,
  onChapter: (chapter: Chapter) => void,
  pauseMs = PAUSE_MS,
): Promise<Story> {
  await using cluster = await startCluster({ spares: 2, announceHostnames: true })
  const admin = await openClusterAdmin({ url: cluster.url, addressMap: cluster.addressMap })
  const [first, second] = cluster.spares as [TestServer, TestServer]
  const grow = async () => {
    await admin.add(`127.0.0.1:${first.port}`)
    await admin.add(`127.0.0.1:${second.port}`, { replicaOf: `127.0.0.1:${first.port}` })
    await admin.rebalance({ useEmpty: true })
  }
  const faults: Fault[] = [['both spares join, and slots are rebalanced', grow]]
  const primary = async (i: number) => {
    const primaries = await cluster.primaries()
    return primaries[i % primaries.length] as TestServer
  }
  for (let i = 0; i < rounds; i++) {
    let killed: TestServer
    faults.push(
      ['planned failover', async () => void (await cluster.failover(await primary(i)))],
      [
        'kill -9 of a primary',
        async () => {
          killed = await primary(i + 1)
          await killed.kill()
        },
      ],
      [
        'the killed one comes back',
        async () => {
          await killed.restart()
          await cluster.settled()
        },
      ],
      [`a primary stands still for ${SLEEP_MS / 1_000} s`, async () => sleepOver(await primary(i + 2))],
      ['all are well', () => cluster.settled()],
    )
  }
  try {
    return await tell('Cluster', cluster, faults, onChapter, pauseMs)
  } finally {
    await admin.close()
  }
}

/** A Sentinel group that is failed over as planned, loses its primary and has the next one fall asleep. */
export async function sentinelStory(
  rounds: number,
  onChapter: (chapter: Chapter) => void,
  pauseMs = PAUSE_MS,
): Promise<Story> {
  await using group = await startSentinel()
  const faults: Fault[] = []
  for (let i = 0; i < rounds; i++) {
    let killed: TestServer
    faults.push(
      ['planned failover', () => group.failover()],
      ['all are well', () => group.settled()],
      [
        'kill -9 of the primary',
        async () => {
          killed = await group.primary()
          await killed.kill()
        },
      ],
      [
        'the killed one comes back',
        async () => {
          await killed.restart()
          await group.settled()
        },
      ],
      [`the primary stands still for ${SLEEP_MS / 1_000} s`, async () => sleepOver(await group.primary())],
      ['all are well', () => group.settled()],
    )
  }
  return await tell('Sentinel', group, faults, onChapter, pauseMs)
}

/** A chapter as one line of a table. */
export function showChapter({ fault, operations, failed, wrong, sales, slowestMs, recoveredMs }: Chapter): string {
  const figures = [
    `${String(operations).padStart(7)} operations`,
    `${failed} failed`,
    `${wrong} wrong`,
    `${String(sales).padStart(5)} sales`,
    `slowest ${String(Math.round(slowestMs)).padStart(5)} ms`,
    `all sell again after ${Math.round(recoveredMs)} ms`,
  ]
  return `${fault.padEnd(44)} ${figures.join('  ')}`
}
