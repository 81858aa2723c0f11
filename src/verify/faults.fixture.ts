import { afterAll, beforeAll } from 'vitest'
import { connect, type Holdfast } from '../holdfast.ts'
import { startServer, type TestServer } from '../testing/index.ts'
import type { Moment } from './verify.ts'

/** Someone who tampers with what a check relies on, past the library or through it. */
export class Saboteur {
  readonly servers: readonly TestServer[]
  readonly namespace: string
  readonly #open: Holdfast[] = []

  constructor(servers: readonly TestServer[], namespace: string) {
    this.servers = servers
    this.namespace = namespace
  }

  get server(): TestServer {
    return this.servers[0] as TestServer
  }

  /** Another process of the same application. */
  async process(): Promise<Holdfast> {
    const opened = await connect(this.server.url, { namespace: this.namespace, timeout: '5s' })
    this.#open.push(opened)
    return opened
  }

  /** Keys of the namespace with this in their name. */
  async keys(part: string, server = this.server): Promise<readonly string[]> {
    const all = await server.command<string[]>('KEYS', `*{${this.namespace}:*`)
    return all.filter((key) => key.includes(part))
  }

  /** Takes away what has this in its name. Throws where there is nothing: such a fault would prove nothing. */
  async drop(part: string, server = this.server): Promise<void> {
    const found = await this.keys(part, server)
    if (found.length === 0) throw new Error(`nothing to drop: no key has ${part} in its name`)
    await server.command('DEL', ...found)
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((opened) => opened.close()))
  }
}

type Fault = readonly [step: string, spoil: (saboteur: Saboteur) => Promise<unknown>]

const dropping =
  (part: string) =>
  (saboteur: Saboteur): Promise<void> =>
    saboteur.drop(part)

/** What the epoch of a tag was, by namespace. */
const epochs = new Map<string, string>()

const limitFault = (algorithm: string): [string, readonly Fault[]] => [
  `limit-${algorithm}`,
  [['consumed', dropping(`limit:limit-${algorithm}:ann}`)]],
]

/** For each check one fault that its promise forbids. */
export const FAULTS: ReadonlyMap<string, readonly Fault[]> = new Map<string, readonly Fault[]>([
  ['cache-aside', [['stored', dropping('cache:cache-aside:42}')]]],
  ['write-through', [['written', dropping('cache:write-through:42}')]]],
  ['lock', [['held', dropping(':lock:lock}')]]],
  ['optimistic-lock', [['sold', async (by) => (await by.process()).value<number>('optimistic-lock').set(79)]]],
  ['queue', [['added', (by) => dropFirstJob(by, 'queue')]]],
  ['priority-queue', [['added', swapRanks]]],
  ['pipeline', [['written', (by) => by.server.command('COPY', entry(by, 8), entry(by, 7), 'REPLACE')]]],
  ['pool', [['watched', (by) => by.server.command('SET', `{${by.namespace}:verify:pool}`, 'a')]]],
  ['monitoring', [['recorded', dropping(':monitor:monitoring}')]]],
  [
    'invalidate-tag',
    [
      ['cached', rememberEpoch],
      ['invalidated', restoreEpoch],
    ],
  ],
  ['invalidate-pattern', [['invalidated', (by) => setAgain(by, 'invalidate-pattern', 'user:2')]]],
  ['memory-tier', [['written', (by) => setAgain(by, 'memory-tier', '42')]]],
  ['stampede', [['loading', dropping('lease:{')]]],
  ['null-caching', [['stored', dropping('cache:null-caching:42}')]]],
  ['write-behind', [['written', dropping('behind:{')]]],
  ['query-cache', [['stored', dropping('cache:query-cache:')]]],
  ['http-cache', [['stored', dropping('cache:http-cache:')]]],
  ['batch-publishing', [['published', dropping('cache:batch-publishing:row:77}')]]],
  ['semaphore', [['held', dropping(':semaphore:semaphore}')]]],
  ['rw-lock', [['read', dropping(':rwlock:rw-lock}')]]],
  ['lock-set', [['held', dropping(':lock:lock-set%20b}')]]],
  ['hand-over', [['waiting', dropping(':lock:hand-over}')]]],
  ['leader', [['elected', dropping(':leader:leader}')]]],
  ['once', [['kept', dropping(':once:once}')]]],
  ['quorum', [['held', dropVotes]]],
  ['dead-letters', [['dead', dropping(':queue:dead-letters:0}:dead')]]],
  ['schedules', [['scheduled', addJobsOfOneSlot]]],
  ['takeover', [['vanished', replaceJob]]],
  ...['gcra', 'bucket', 'fixed', 'sliding', 'log', 'concurrency'].map(limitFault),
  ['session', [['created', tamperWithSession]]],
  ['analytics', [['counted', dropping(':analytics:analytics:')]]],
  ['geo', [['placed', async (by) => (await by.process()).geo('geo').remove('arena')]]],
  ['breaker', [['opened', dropping(':breaker:breaker}')]]],
  ['seats', [['sold', (by) => by.server.command('SETRANGE', `{${by.namespace}:seats:seats}:map`, 0, '.')]]],
  ['event-log', [['appended', dropFirstEntry]]],
])

const entry = (by: Saboteur, id: number): string => `{${by.namespace}:cache:pipeline:${id}}`

/** All but one: a vote that was late may not have been needed. */
async function dropVotes(by: Saboteur): Promise<void> {
  const votes = await Promise.all(by.servers.map((one) => one.command('DEL', `{${by.namespace}:quorum:quorum}`)))
  if (votes.filter((count) => count === 1).length < 2) throw new Error(`no majority to drop: ${votes}`)
}

async function dropFirstJob(by: Saboteur, queue: string): Promise<void> {
  const lane = `{${by.namespace}:queue:${queue}:0}:lane:0`
  await dropFirst(by, lane)
}

async function dropFirstEntry(by: Saboteur): Promise<void> {
  await dropFirst(by, `{${by.namespace}:log:event-log}:entries`)
}

async function dropFirst(by: Saboteur, stream: string): Promise<void> {
  const [[id]] = await by.server.command<[[string]]>('XRANGE', stream, '-', '+', 'COUNT', 1)
  await by.server.command('XDEL', stream, id)
}

async function swapRanks(by: Saboteur): Promise<void> {
  const ranked = `{${by.namespace}:queue:priority-queue:0}:ranked`
  const [first] = await by.server.command<string[]>('ZPOPMIN', ranked)
  await by.server.command('ZADD', ranked, '+inf', first as string)
}

const epochKey = (by: Saboteur): string => `{${by.namespace}:cache:invalidate-tag}:tag:team:7`

async function rememberEpoch(by: Saboteur): Promise<void> {
  epochs.set(by.namespace, await by.server.command<string>('GET', epochKey(by)))
}

async function restoreEpoch(by: Saboteur): Promise<void> {
  await by.server.command('SET', epochKey(by), epochs.get(by.namespace) as string, 'KEEPTTL')
}

async function setAgain(by: Saboteur, cache: string, id: string): Promise<void> {
  await (await by.process()).cache<string>(cache, { ttl: '1m' }).set(id, 'of the saboteur')
}

/** Two jobs that each say that they are the one of this slot. */
async function addJobsOfOneSlot(by: Saboteur): Promise<void> {
  const queue = (await by.process()).queue('schedules', { lease: '5s' })
  for (const id of ['tick@1000', 'tock@1000']) await queue.add('tick', { id })
}

async function replaceJob(by: Saboteur): Promise<void> {
  await dropFirstJob(by, 'takeover')
  await (await by.process()).queue('takeover', { lease: 100 }).add('another job')
}

async function tamperWithSession(by: Saboteur): Promise<void> {
  const [session] = await by.keys(':session:session:')
  await by.server.command('HSET', session as string, '.role', '"root"')
}

/** Servers for the tests of a file: the first is verified, and all three make a quorum. */
export function useServers(): { readonly all: readonly TestServer[] } {
  const all: TestServer[] = []
  beforeAll(async () => {
    all.push(...(await Promise.all([startServer(), startServer(), startServer()])))
  })
  afterAll(async () => {
    await Promise.all(all.map((server) => server.stop()))
  })
  return { all }
}

/** Spoils these checks, each at its step and once, and tells of every fault that was planted. */
export function sabotage(servers: readonly TestServer[], checks: readonly string[]) {
  const planted: string[] = []
  const between = async ({ namespace, check, step }: Moment): Promise<void> => {
    const fault = checks.includes(check) ? FAULTS.get(check)?.find(([at]) => at === step) : undefined
    if (fault === undefined || planted.includes(`${check} ${step}`)) return
    planted.push(`${check} ${step}`)
    const saboteur = new Saboteur(servers, namespace)
    try {
      await fault[1](saboteur)
    } finally {
      await saboteur.close()
    }
  }
  return { between, planted }
}
