/** What can happen to a group of servers, each fault from its beginning until the group has settled again. */

import type { TestCluster, TestSentinel, TestServer } from 'holdfast/testing'
import type { Random } from '../crowd/random.ts'

export type Group = TestCluster | TestSentinel

/** What a fault may do while it lasts. */
export interface Blow {
  readonly group: Group
  /** The server that has this key is the one to hit; undefined is any. */
  readonly key: string | undefined
  readonly random: Random
  /** Tells people what happens now. */
  say(what: string): void
  pause(ms: number): Promise<void>
  /** Starts a server that was killed. */
  restart(server: TestServer): Promise<void>
}

export interface Fault {
  readonly name: string
  strike(blow: Blow): Promise<void>
}

/** Longer than both groups take to replace a primary: it wakes as one that has been replaced. */
const STOPPED_MS = 3_500
/** A replica that stands still is waited for. */
const REPLICA_STOPPED_MS = 2_000
const REPLICA_AWAY_MS = 1_000
/** Both groups replace a dead primary within three seconds; a busy machine takes longer. */
const REPLACED_MS = 60_000
/** How long a primary that takes no writes may wait for its replicas, before it hands over. */
const CATCH_UP_MS = 5_000

/** In this order, so that a short sale meets those that matter most. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'primary killed',
    async strike({ group, key, random, say, pause, restart }) {
      const primary = await primaryOf(group, key, random)
      say(`kill -9 of the primary ${nameOf(primary)}`)
      await primary.kill()
      await replaced(group, primary, pause)
      await restart(primary)
    },
  },
  {
    name: 'replica stopped',
    async strike({ group, key, random, say, pause }) {
      const replica = await replicaOf(group, key, random)
      say(`the replica ${nameOf(replica)} stands still for ${REPLICA_STOPPED_MS / 1_000} s`)
      await replica.pause()
      await pause(REPLICA_STOPPED_MS)
      await replica.resume()
    },
  },
  {
    name: 'planned failover',
    async strike({ group, key, random, say, pause }) {
      const primary = await primaryOf(group, key, random)
      say(`planned failover from the primary ${nameOf(primary)}`)
      if (isCluster(group)) await group.failover(primary)
      else await handOver(group, primary, pause)
    },
  },
  {
    name: 'replica killed',
    async strike({ group, key, random, say, pause, restart }) {
      const replica = await replicaOf(group, key, random)
      say(`kill -9 of the replica ${nameOf(replica)}`)
      await replica.kill()
      await pause(REPLICA_AWAY_MS)
      await restart(replica)
    },
  },
  {
    name: 'primary stopped',
    async strike({ group, key, random, say, pause }) {
      const primary = await primaryOf(group, key, random)
      say(`the primary ${nameOf(primary)} stands still for ${STOPPED_MS / 1_000} s`)
      await primary.pause()
      await Promise.all([replaced(group, primary, pause), pause(STOPPED_MS)])
      await primary.resume()
    },
  },
]

function isCluster(group: Group): group is TestCluster {
  return 'spares' in group
}

async function primaryOf(group: Group, key: string | undefined, random: Random): Promise<TestServer> {
  if (!isCluster(group)) return group.primary()
  if (key !== undefined) return group.primaryOf(key)
  return oneOf(await group.primaries(), random)
}

/** Waits until another server has the place of one that is away. */
async function replaced(group: Group, primary: TestServer, pause: Blow['pause']): Promise<void> {
  const until = performance.now() + REPLACED_MS
  for (;;) {
    const isPrimary = isCluster(group)
      ? (await group.primaries()).includes(primary)
      : (await group.primary()) === primary
    if (!isPrimary) return
    if (performance.now() > until) throw new Error(`Nobody took over from ${nameOf(primary)} in ${REPLACED_MS} ms.`)
    await pause(20)
  }
}

async function replicaOf(group: Group, key: string | undefined, random: Random): Promise<TestServer> {
  const primary = await primaryOf(group, key, random)
  const replicas = isCluster(group)
    ? await group.replicasOf(primary)
    : group.servers.filter((server) => server !== primary)
  return oneOf(replicas, random)
}

/**
 * A Sentinel group's failover as a careful hand does it. Left to itself the old primary takes writes for seconds after another
 * was chosen, and they are lost. So it takes none first, which clients wait out, and hands over when the replicas have all.
 */
async function handOver(group: TestSentinel, primary: TestServer, pause: Blow['pause']): Promise<void> {
  await primary.command('CONFIG', 'SET', 'min-replicas-to-write', group.servers.length)
  try {
    const written = await offsetOf(primary, 'master_repl_offset')
    const until = performance.now() + CATCH_UP_MS
    for (const replica of group.servers.filter((server) => server !== primary))
      while ((await offsetOf(replica, 'slave_repl_offset')) < written && performance.now() < until) await pause(10)
    await group.failover()
    await group.settled()
  } finally {
    await primary.command('CONFIG', 'SET', 'min-replicas-to-write', 0)
    // It was told to write its settings down when it became a replica.
    await primary.command('CONFIG', 'REWRITE')
  }
}

async function offsetOf(server: TestServer, field: string): Promise<number> {
  const info = await server.command<string>('INFO', 'replication')
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
}

function oneOf<T>(all: readonly T[], random: Random): T {
  const one = all[random.below(all.length)]
  if (one === undefined) throw new Error('There is no server to hit.')
  return one
}

function nameOf({ host, port }: TestServer): string {
  return `${host}:${port}`
}
