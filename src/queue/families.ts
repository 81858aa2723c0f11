import { backoffMs } from '../base/backoff.ts'
import { checkKnown, checkOneOf } from '../base/check.ts'
import { sleep } from '../base/clock.ts'
import { ConfigError, ConnectionError, TimeoutError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import { LONGEST_WRITTEN_ID } from '../stream/envelope.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import type { Posting } from '../stream/producer.ts'
import { ChildFault } from './endings.ts'
import type { DeadReason } from './events.ts'
import { readFailure } from './failure.ts'
import type { ChildOutcome } from './job.ts'
import { optionsOf } from './job.ts'
import { gatherScript } from './lua.generated.ts'
import type { AddOptions, JobOptions } from './options.ts'
import type { Payloads } from './payload.ts'
import type { Postings } from './postings.ts'
import { readReport } from './reports.ts'

/** What becomes of a parent whose child is dead: it is dead too, as soon as it is known; it goes on without that; it waits until that was redriven. */
export type OnDeadChild = 'fail' | 'ignore' | 'wait'

export interface ChildJob<T = unknown>
  extends Pick<AddOptions, 'delay' | 'priority' | 'group' | 'attempts' | 'timeout' | 'backoff' | 'keepResult'> {
  readonly data: T
  /** What it waits for itself; then it has no `delay`. */
  readonly children?: readonly ChildJob<T>[]
  /** Of its own children. */
  readonly onDead?: OnDeadChild
}

export interface ParentOptions extends Omit<AddOptions, 'delay' | 'at' | 'expiresIn' | 'keepId' | 'replace'> {
  /** What becomes of it when a child is dead. Default `'fail'`. */
  readonly onDead?: OnDeadChild
}

/** A parent and its children on their way into their shard, the parent first. */
export interface Family {
  readonly id: string
  readonly children: readonly string[]
  readonly postings: readonly Posting[]
}

const CHILD = [
  'data',
  'children',
  'onDead',
  'delay',
  'priority',
  'group',
  'attempts',
  'timeout',
  'backoff',
  'keepResult',
]
const PARENT = ['onDead', 'id', 'priority', 'group', 'attempts', 'timeout', 'backoff', 'keepResult', 'durability']
/** They are put in by one call. */
const MOST = 500
/** What children came to is kept so long once all have ended: for a parent that fails, and is redriven. */
export const KEEP_MS = 2_592_000_000
const AGAIN_BASE_MS = 20
const AGAIN_MAX_MS = 500

/** Writes families. */
export class FamilyPostings {
  readonly #postings: Postings
  readonly #payloads: Payloads
  readonly #shards: number

  constructor(postings: Postings, payloads: Payloads, shards: number) {
    this.#postings = postings
    this.#payloads = payloads
    this.#shards = shards
  }

  async prepare(data: unknown, children: readonly ChildJob[], options: ParentOptions = {}): Promise<Family> {
    checkKnown('options', options, PARENT)
    const { onDead, durability: _, ...own } = options
    const id = options.id ?? this.#postings.newId()
    const postings: Posting[] = []
    const ids = await this.#write(postings, id, options.id !== undefined, data, own, { children, onDead }, 'root in')
    return { id, postings, children: ids }
  }

  async #write(
    postings: Posting[],
    id: string,
    isNamed: boolean,
    data: unknown,
    own: AddOptions,
    below: { readonly children?: readonly ChildJob[] | undefined; readonly onDead?: OnDeadChild | undefined },
    kind: Posting['kind'],
    siblings?: number,
  ): Promise<string[]> {
    const { children, onDead = 'fail' } = below
    checkOneOf('onDead', onDead, ['fail', 'ignore', 'wait'])
    if (kind === 'root in' || children !== undefined) checkChildren(children)
    if (own.group !== undefined && this.#shards > 1)
      throw new ConfigError('group', 'none in a family of a queue with `shards`: it lies in one', own.group)
    if (Buffer.byteLength(id) > LONGEST_WRITTEN_ID)
      throw new ConfigError('id', `one that leaves room for what children add to it, ${LONGEST_WRITTEN_ID} bytes`, id)
    if (children !== undefined && own.delay !== undefined)
      throw new ConfigError('delay', 'none of a job that waits for its children', own.delay)
    const family: JobOptions = {
      ...(children === undefined ? {} : { children: children.length, onDead }),
      ...(siblings === undefined ? {} : { siblings }),
    }
    const fitting = await this.#payloads.fit(data)
    postings.push(this.#postings.member(id, isNamed, fitting, own, family, kind))
    if (postings.length > MOST) throw new ConfigError('children', `at most ${MOST - 1} in all`, postings.length)
    const ids: string[] = []
    for (const [i, child] of (children ?? []).entries()) {
      checkKnown(`children.${i}`, child, CHILD)
      const { data: payload, children: of, onDead: then, ...rest } = child
      const childId = `${id}@0@${i + 1}`
      const deeper = { children: of, onDead: then }
      await this.#write(postings, childId, true, payload, rest, deeper, 'with in', children?.length)
      ids.push(childId)
    }
    return ids
  }
}

function checkChildren(children: unknown): void {
  if (!Array.isArray(children) || children.length === 0 || children.length >= MOST)
    throw new ConfigError('children', `a list of 1 to ${MOST - 1} jobs`, children)
}

/** Looks what became of the children of parents that are given out. */
export class Families {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #postings: Postings

  constructor(redis: Redis, layouts: readonly Layout[], postings: Postings) {
    this.#redis = redis
    this.#layouts = layouts
    this.#postings = postings
  }

  /** Undefined where it is no more to be run here: it waits for others, or its lease is lost. Throws ChildFault where a child's death is its own. */
  async gather(delivery: Delivery): Promise<readonly ChildOutcome[] | undefined> {
    const { lease, envelope } = delivery
    const layout = this.#layouts[this.#postings.shardOf(envelope)] as Layout
    for (let failures = 0; lease.held.has(delivery); ) {
      if (!lease.isValid()) {
        lease.lose('it was not renewed in time')
        return undefined
      }
      try {
        const reply = await this.#look(layout, delivery)
        if (reply[0] === 'layout') layout.learn(reply[1])
        else if (reply[0] === 'ready') return outcomesOf(envelope.id, reply.slice(1) as Buffer[])
        else if (reply[0] === 'dead') throw faultOf(reply[1], reply[2])
        else {
          if (reply[0] === 'gone') lease.lose('the server says that it has ended')
          else if (lease.held.delete(delivery) && delivery.isAlone) lease.alone = 'ended'
          return undefined
        }
      } catch (error) {
        if (!(error instanceof TimeoutError || error instanceof ConnectionError) || !lease.isValid()) throw error
        // As long as the lease lasts nobody else has it; what a lost answer put back is found absent.
        await sleep(backoffMs(failures++, AGAIN_BASE_MS, AGAIN_MAX_MS))
      }
    }
    return undefined
  }

  #look(layout: Layout, delivery: Delivery) {
    const { lease, lane, entry, envelope } = delivery
    const { id, used, group = '' } = envelope
    const { children = 0, onDead = 'fail' } = optionsOf(delivery)
    const { state, leases, delayed, bodies, dead, deadBodies, idle, wake, ids } = layout.keys
    const keys = {
      ...{ state, leases, delayed, bodies, dead, deadBodies, idle, wake, ids, family: layout.keys.family(id) },
      ...{ lane: layout.keys.lane(lane), lanes: layout.all },
    }
    const args = {
      ...{ layout: layout.text, channel: bellPrefix(this.#redis.keyspace), consumer: lease.id, entry, id, used },
      ...{ group, most: this.#postings.groupMost, children, onDead, keepMs: KEEP_MS },
    }
    return gatherScript.run(this.#redis, keys, args, { operation: 'queue.gather', repeat: true })
  }
}

function outcomesOf(id: string, rows: readonly Buffer[]): readonly ChildOutcome[] {
  return rows.map((row, i) => {
    const child = `${id}@0@${i + 1}`
    const rest = row.subarray(1)
    const word = row.toString('latin1', 0, 1)
    if (word === 'd') return { id: child, status: 'done', value: readReport(rest) }
    if (word === 'x') return { id: child, status: 'dead', reason: rest.toString('latin1') as DeadReason }
    return { id: child, status: 'cancelled' }
  })
}

/** A dead letter's body: reason, error, envelope. */
function faultOf(child: string, body: Buffer): ChildFault {
  const start = 1 + (body[0] as number)
  const end = start + 7 + Number(body.toString('latin1', start, start + 7))
  const why = readFailure(body.toString('utf8', start + 7, end))?.message
  return new ChildFault(child, body.toString('latin1', 1, start), why)
}
