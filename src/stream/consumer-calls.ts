import { ConfigError, ConnectionError, TimeoutError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Arg, Reply } from '../redis/wire.ts'
import type { ConsumerLease, Delivery } from './consumer-lease.ts'
import { readEnvelope } from './envelope.ts'
import { bellPrefix } from './keys.ts'
import type { Layout } from './layout.ts'
import { excuseScript, extendScript, releaseScript, settleScript, type TurnReply, turnScript } from './lua.generated.ts'
import { type Batch, settleArgs } from './settlements.ts'

/** A message may be lost: who waits looks by himself now and then. */
export const POLL_MS = 2_000
const PAUSED = 1
const LAST_ALONE = 4

/** What a turn brought. */
export interface Turned {
  readonly deliveries: Delivery[]
  /** Until a job is due, or a lease of somebody else has ended; undefined where nothing of the kind is known. */
  readonly dueMs: number | undefined
  readonly isPaused: boolean
  readonly lastIsAlone: boolean
}

export interface Bounds {
  /** Dead letters that are kept. */
  readonly deadMost: number
  /** Jobs of one group that may run at the same time. */
  readonly groupMost: number
  /** Jobs that may begin in each `perMs`; 0: any number. */
  readonly rate: number
  readonly perMs: number
}

/** What a lost lease had been given. */
export interface Excuse {
  /** `id`: '' where only the entry is known. */
  readonly jobs: { readonly lane: number; readonly entry: string; readonly id: string }[]
  /** The entry of one that ran alone; '' for none. */
  readonly alone: string
}

/** How a turn leaves: by the common connection, or behind a command that blocks on a connection of its own. */
export type Way = (words: readonly Arg[]) => Promise<Reply>

export const NOTHING: Batch = { done: new Map(), others: [], size: 0 }

/** Another layout stands, or the lease has ended: nothing was done. */
export type Undone = 'layout' | 'gone'

/** What consumers of one shard say to the server, in the words of its scripts. */
export class ConsumerCalls {
  readonly #redis: Redis
  readonly #layout: Layout
  readonly #room: string
  readonly #channel: string

  constructor(redis: Redis, layout: Layout, room: string) {
    this.#redis = redis
    this.#layout = layout
    this.#room = room
    this.#channel = bellPrefix(redis.keyspace)
  }

  get #keys() {
    const { state, leases, delayed, bodies, dead, deadBodies, ids, idle, wake } = this.#layout.keys
    return { state, leases, delayed, bodies, dead, deadBodies, ids, idle, wake, lanes: this.#layout.all }
  }

  #laneOf = (priority: number): number => this.#layout.priorities.indexOf(priority) + 1

  /** Ends a batch and takes up to `count` jobs. Never sent twice by itself: the jobs of a lost answer would be nobody's. */
  async turn(
    lease: ConsumerLease,
    batch: Batch,
    count: number,
    inbox: string,
    bounds: Bounds,
  ): Promise<Turned | Undone> {
    const alone = lease.alone === 'busy' ? 'busy' : lease.alone === 'ended' ? 'alone' : 'stay'
    const args = this.#turnArgs(lease, batch, count, inbox, lease.isJoined ? alone : 'join', bounds)
    const options = { operation: `${this.#room}.turn`, repeat: false }
    const { priorities } = this.#layout
    return this.#readTurn(lease, priorities, await turnScript.run(this.#redis, this.#keys, args, options))
  }

  /** A turn beside the others, that ends nothing, and takes none of what is given out alone: two of those must not meet in one process. */
  async turnBeside(
    lease: ConsumerLease,
    count: number,
    inbox: string,
    bounds: Bounds,
    way: Way,
  ): Promise<Turned | Undone> {
    const args = this.#turnArgs(lease, NOTHING, count, inbox, 'busy', bounds)
    const { priorities } = this.#layout
    return this.#readTurn(lease, priorities, await turnScript.runOn(way, this.#keys, args, `${this.#room}.turn`))
  }

  #turnArgs(lease: ConsumerLease, batch: Batch, count: number, inbox: string, mode: string, bounds: Bounds) {
    const { deadMost: most, groupMost: group, rate, perMs } = bounds
    return {
      ...{ layout: this.#layout.text, channel: this.#channel, consumer: lease.id, lease: lease.leaseMs, count },
      ...{ inbox, mode, most, group, rate, per: perMs * 1_000, settles: settleArgs(batch, this.#laneOf) },
    }
  }

  /** `priorities`: of the layout that was sent along. Another may have been learnt before the answer of a turn beside is read. */
  #readTurn(lease: ConsumerLease, priorities: readonly number[], reply: TurnReply): Turned | Undone {
    if (reply[0] === 'layout') return this.#learn(reply[1])
    if (reply[0] === 'gone') return 'gone'
    const [, , dueMs, flags, heads] = reply
    return {
      deliveries: heads === '' ? [] : readDeliveries(lease, priorities, reply),
      dueMs: dueMs < 0 ? undefined : dueMs,
      isPaused: (flags & PAUSED) !== 0,
      lastIsAlone: (flags & LAST_ALONE) !== 0,
    }
  }

  /** Ends a batch. */
  async settle(lease: ConsumerLease, batch: Batch, { deadMost, groupMost }: Bounds): Promise<'settled' | Undone> {
    const args = {
      ...{ layout: this.#layout.text, channel: this.#channel, consumer: lease.id, most: deadMost, group: groupMost },
      settles: settleArgs(batch, this.#laneOf),
    }
    const options = { operation: `${this.#room}.settle`, repeat: true }
    const reply = await settleScript.run(this.#redis, this.#keys, args, options)
    return reply[0] === 'layout' ? this.#learn(reply[1]) : reply[0]
  }

  /** Hands back all that a lease was given and does not hold. */
  async release(lease: ConsumerLease, leaves: boolean): Promise<void> {
    const { state, leases, idle, wake } = this.#layout.keys
    while (!lease.isLost) {
      const args = {
        ...{ layout: this.#layout.text, channel: this.#channel, consumer: lease.id, leaves: leaves ? 1 : 0 },
        kept: [...lease.held].map(({ entry }) => entry),
      }
      const options = { operation: `${this.#room}.release`, repeat: true }
      const keys = { state, leases, idle, wake, lanes: this.#layout.lanes }
      const reply = await releaseScript.run(this.#redis, keys, args, options)
      if (reply[0] === 'layout') this.#learn(reply[1])
      else if (reply[0] !== 'more' || !leaves) return
    }
  }

  /** What this consumer had is blamed on nobody; see `Excuses`. */
  async excuse(
    consumer: string,
    { jobs, alone }: Excuse,
    { groupMost: group }: Pick<Bounds, 'groupMost'>,
  ): Promise<void> {
    const { state, leases, bodies, dead, deadBodies, ids, idle, wake } = this.#layout.keys
    const options = { operation: `${this.#room}.excuse`, repeat: true }
    for (;;) {
      const keys = { state, leases, bodies, dead, deadBodies, ids, idle, wake, lanes: this.#layout.all }
      const known = jobs.filter(({ lane }) => this.#laneOf(lane) > 0)
      const args = {
        ...{ layout: this.#layout.text, channel: this.#channel, consumer, group, alone },
        jobs: known.flatMap(({ lane, entry, id }) => [String(this.#laneOf(lane)), entry, id]),
      }
      const reply = await excuseScript.run(this.#redis, keys, args, options)
      if (reply[0] !== 'layout') return
      this.#learn(reply[1])
    }
  }

  /** Says that these are alive; answers the ids of those whose leases have ended. */
  async extend(consumers: readonly ConsumerLease[], leaseMs: number): Promise<readonly string[]> {
    const timeoutMs = Math.max(50, Math.min(this.#redis.timeoutMs, Math.ceil(leaseMs / 3)))
    const args = { lease: leaseMs, consumers: consumers.map(({ id }) => id) }
    const options = { operation: `${this.#room}.extend`, repeat: true, timeoutMs }
    const [, ...gone] = await extendScript.run(this.#redis, { leases: this.#layout.keys.leases }, args, options)
    return gone
  }

  /** Makes again the streams that somebody has deleted past us. */
  async mendLanes(): Promise<void> {
    for (const priority of this.#layout.priorities) await this.#layout.open(priority, `${this.#room}.turn`)
  }

  #learn(layout: string): 'layout' {
    this.#layout.learn(layout)
    return 'layout'
  }
}

/** How long may be waited for something to do, in ms. */
export const waitOf = ({ dueMs, isPaused }: Turned): number =>
  dueMs === undefined || isPaused ? POLL_MS : Math.min(POLL_MS, dueMs + 1)

/** What failed was certainly not carried out; of a stream of another shape than ours a script does nothing. */
export const isUnsent = (error: unknown): boolean =>
  error instanceof ConfigError || ((error instanceof TimeoutError || error instanceof ConnectionError) && !error.sent)

function readDeliveries(
  lease: ConsumerLease,
  priorities: readonly number[],
  [, fenceText, , flags, heads, blob]: Extract<TurnReply, readonly [word: 'turn', ...unknown[]]>,
): Delivery[] {
  const fence = BigInt(fenceText)
  const words = heads.split(' ')
  const deliveries: Delivery[] = []
  let start = 0
  for (let at = 0; at < words.length; ) {
    const lane = priorities[Number(words[at]) - 1] as number
    const times = Number(words[at + 1])
    const count = Number(words[at + 2])
    at += 3
    for (let i = 0; i < count; i++, at += 2) {
      const end = start + Number(words[at + 1])
      const envelope = readEnvelope(blob, start, end)
      const entry = words[at] as string
      // What is given out alone comes last.
      const isAlone = (flags & LAST_ALONE) !== 0 && at + 2 === words.length
      deliveries.push({
        lease,
        lane,
        entry,
        deliveries: times,
        fence,
        isAlone,
        envelope,
        onLost: undefined,
        onCancel: undefined,
      })
      start = end
    }
  }
  return deliveries
}
