/** Locks whose servers change under them: slots that move, and a primary that dies before its replica has heard of the last locks. */
import { connect, type Duration, type HeldLock, type Holdfast } from 'holdfast'
import { openClusterAdmin } from 'holdfast/ops'
import { startCluster, startSentinel, type TestSentinel, type TestServer, testNamespace } from 'holdfast/testing'
import { slotOf } from '../../src/redis/slots.ts'

export interface MovesStory {
  readonly holds: number
  readonly problems: readonly string[]
}

/** Callers who hand locks on to each other, without a pause, until they are told to end. */
export class HandToHand {
  readonly problems: string[] = []
  readonly #holds = new Map<string, number>()
  readonly #working: Promise<void>[] = []
  #over = false

  /** `callers` of each instance for each lock. */
  constructor(instances: readonly Holdfast[], names: readonly string[], callers: number) {
    for (const name of names) {
      const place = { inside: 0, fence: 0n }
      for (const hf of instances) for (let i = 0; i < callers; i++) this.#working.push(this.#hand(hf, name, place))
    }
  }

  /** How often a lock was held so far. */
  holdsOf(name: string): number {
    return this.#holds.get(name) ?? 0
  }

  /** Ends when all have let go; answers how often locks were held. */
  async stop(): Promise<number> {
    this.#over = true
    await Promise.all(this.#working)
    return [...this.#holds.values()].reduce((sum, count) => sum + count, 0)
  }

  async #hand(hf: Holdfast, name: string, place: { inside: number; fence: bigint }): Promise<void> {
    while (!this.#over)
      try {
        await hf.lock(name, { wait: '30s' }).run(async ({ fence }) => {
          if (++place.inside > 1) this.problems.push(`${name}: ${place.inside} have it`)
          if (fence <= place.fence) this.problems.push(`${name}: ${fence} after ${place.fence}`)
          place.fence = fence
          await new Promise((resolve) => setImmediate(resolve))
          place.inside--
        })
        this.#holds.set(name, this.holdsOf(name) + 1)
      } catch (error) {
        this.problems.push(`${name}: ${error instanceof Error ? error.message : error}`)
      }
  }
}

export interface Failover {
  /** Of the locks that the replica had heard of: those that are held as before, by the same and by nobody else. */
  readonly kept: number
  /** Of those that it had not heard of: those that somebody else could take. */
  readonly forgotten: number
  readonly problems: readonly string[]
}

/** How many locks the replica knows, and how many it does not. */
export const EACH = 5

/**
 * A holder with locks that the replica knows of, and with others that it does not, because the link was cut; then the primary is killed,
 * the Sentinels promote the replica, and somebody else asks for all of them.
 *
 * `namespace`: of this round alone
 */
export async function failoverRound(group: TestSentinel, namespace: string): Promise<Failover> {
  await group.settled()
  const primary = await group.primary()
  const replica = group.servers.find((server) => server !== primary) as TestServer
  const [holder, other] = await Promise.all([open(group.url, namespace), open(group.url, namespace)])
  try {
    const take = (kind: string, ttl: Duration) =>
      Promise.all(Array.from({ length: EACH }, (_, i) => holder.lock(`${kind}${i}`, { ttl }).acquire()))
    const known = await take('known', '30s')
    await primary.command('WAIT', 1, 5_000)
    // What is in the replica's socket would still be read: so the primary closes it before it writes any more.
    await replica.pause()
    await primary.command('CLIENT', 'KILL', 'TYPE', 'replica')
    const unknown = await take('unknown', '6s')
    const brief = await holder.lock('brief', { ttl: '1s' }).acquire()
    const heard = new Promise<number>((resolve) =>
      brief.signal.addEventListener('abort', () => resolve(performance.now())),
    )
    const inLine = other.lock('known0', { wait: '30s' }).acquire()
    await primary.kill()
    await replica.resume()
    return await judge({ other, known, unknown, heard, inLine })
  } finally {
    await Promise.all([holder.close(), other.close()])
    await primary.restart()
  }
}

interface Held {
  readonly other: Holdfast
  readonly known: readonly HeldLock[]
  readonly unknown: readonly HeldLock[]
  readonly heard: Promise<number>
  readonly inLine: Promise<HeldLock>
}

async function judge({ other, known, unknown, heard, inLine }: Held): Promise<Failover> {
  const problems: string[] = []
  const brief = await other.lock('brief', { wait: '30s' }).acquire()
  const takenMs = performance.now()
  if ((await heard) > takenMs) problems.push('the lock whose lease ended was taken before its holder heard')
  await brief.release()

  const taken = await Promise.all(unknown.map((_, i) => other.lock(`unknown${i}`).tryAcquire()))
  for (const [i, next] of taken.entries()) {
    const before = unknown[i] as HeldLock
    if (next !== undefined && next.fence <= before.fence) problems.push(`fence ${next.fence} after ${before.fence}`)
    // His next extension finds another's token, or none: he hears then, and no later than by his own clock.
    if (!before.signal.aborted) await new Promise((resolve) => before.signal.addEventListener('abort', resolve))
    if (before.valid()) problems.push(`unknown${i}: still valid after its loss`)
  }

  let kept = 0
  for (const [i, held] of known.entries()) {
    const stolen = i === 0 ? undefined : await other.lock(`known${i}`).tryAcquire()
    if (stolen !== undefined) problems.push(`known${i}: taken from its holder`)
    await held.extend('30s').catch((error) => problems.push(`known${i}: ${error.message}`))
    if (held.valid() && (await held.release()) === 'released') kept++
  }
  // His place in the line was forgotten too; he asks again by himself.
  const next = await inLine
  if (next.fence <= (known[0] as HeldLock).fence) problems.push('known0: a lower fence for the next in line')
  return { kept, forgotten: taken.filter((next) => next !== undefined).length, problems }
}

/** So many failovers with a cut link, and so many moves of slots under locks that go from hand to hand. */
export async function movesStory(rounds: number, say: (line: string) => void): Promise<MovesStory> {
  const problems: string[] = []
  {
    await using group = await startSentinel({ replicas: 1 })
    for (let round = 1; round <= rounds; round++) {
      const told = await failoverRound(group, testNamespace('moves'))
      say(`failover ${round}: ${told.kept} of ${EACH} kept, ${told.forgotten} of ${EACH} forgotten`)
      problems.push(...told.problems)
    }
  }
  await using cluster = await startCluster()
  const admin = await openClusterAdmin({ url: cluster.url })
  const namespace = testNamespace('moves')
  const instances = await Promise.all([open(cluster.url, namespace), open(cluster.url, namespace)])
  const names = Array.from({ length: 6 }, (_, i) => `l${i}`)
  const locks = new HandToHand(instances, names, 3)
  try {
    const address = ({ host, port }: TestServer) => `${host}:${port}`
    for (let round = 1; round <= rounds; round++)
      for (const name of names) {
        const key = `{${namespace}:lock:${name}}`
        const from = await cluster.primaryOf(key)
        const others = (await cluster.primaries()).filter((node) => node !== from)
        const before = locks.holdsOf(name)
        await admin.move([slotOf(key)], address(from), address(others[round % others.length] as TestServer))
        say(`move ${round} of ${name}: ${locks.holdsOf(name) - before} hand-overs meanwhile`)
      }
    return { holds: await locks.stop(), problems: [...problems, ...locks.problems] }
  } finally {
    // Also where a move has failed: they would go on for ever.
    await locks.stop()
    await Promise.all([admin, ...instances].map((each) => each.close()))
  }
}

function open(url: string, namespace: string): Promise<Holdfast> {
  return connect(url, { namespace, timeout: '10s' })
}
