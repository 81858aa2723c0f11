import { createHash } from 'node:crypto'
import { backoffMs } from '../base/backoff.ts'
import { ConnectionError, TimeoutError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import type { Posting } from '../stream/producer.ts'
import type { Effects, FollowUp, FollowUpTarget } from './effects.ts'
import { KEEP_MS } from './families.ts'
import { optionsOf } from './job.ts'
import { kinOf, resultKey, talliesKey } from './keys.ts'
import { finishScript } from './lua.generated.ts'
import { outcomeChannel } from './notices.ts'
import type { Postings } from './postings.ts'
import { writeReport } from './reports.ts'

/** What is larger belongs elsewhere, and its name here. */
const LONGEST_RESULT = 1024 * 1024
/** A parent is given those of all its children at once. */
const LONGEST_OF_CHILD = 64 * 1024
const AGAIN_BASE_MS = 20
const AGAIN_MAX_MS = 500

/** Ends jobs that come to something: one script each, where all others end in batches. */
export class Finisher {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #postings: Postings
  readonly #own: FollowUpTarget

  /** `own`: the queue itself, for jobs that belong into another shard of it. */
  constructor(redis: Redis, layouts: readonly Layout[], postings: Postings, own: FollowUpTarget) {
    this.#redis = redis
    this.#layouts = layouts
    this.#postings = postings
    this.#own = own
  }

  /**
   * Whether it counts. `onUnkept` hears of a result that cannot be written: the job is done all the same, and came to nothing. Throws what else cannot
   * be written, without `onUnkept` that too, or the server's own error: then nothing was done.
   */
  async finish(
    delivery: Delivery,
    effects: Effects | undefined,
    value: unknown,
    onUnkept?: (error: unknown) => void,
    isCancelled = false,
  ): Promise<boolean> {
    const { lease, envelope } = delivery
    const shard = this.#postings.shardOf(envelope)
    const layout = this.#layouts[shard] as Layout
    const following = await this.#prepare(delivery, shard, effects?.followUps ?? [])
    const { resultMs, siblings } = optionsOf(delivery)
    const most = siblings === undefined ? LONGEST_RESULT : LONGEST_OF_CHILD
    const isRead = (resultMs ?? siblings) !== undefined && !isCancelled
    const text = isRead ? writeResult(value, most, onUnkept) : ''
    for (let failures = 0; lease.held.has(delivery); ) {
      if (!lease.isValid()) {
        lease.lose('it was not renewed in time')
        return false
      }
      try {
        const word = await this.#send(layout, delivery, following, effects, text, isCancelled)
        if (word === 'layout') continue
        if (word === 'gone') lease.lose('the server says that it has ended')
        if (word === 'gone' || !lease.held.delete(delivery)) return false
        if (delivery.isAlone) lease.alone = 'ended'
        return true
      } catch (error) {
        if (!(error instanceof TimeoutError || error instanceof ConnectionError) || !lease.isValid()) throw error
        // As long as the lease lasts nobody else has it, and a repeat does it once.
        const waitMs = backoffMs(failures++, AGAIN_BASE_MS, AGAIN_MAX_MS)
        await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
      }
    }
    return false
  }

  /** Ends a cancelled child, and tells its parent in the same step. If it cannot be, the job comes again, and is cancelled no more. */
  async forget(delivery: Delivery): Promise<void> {
    await this.finish(delivery, undefined, undefined, undefined, true).catch(() => false)
  }

  async #send(
    layout: Layout,
    delivery: Delivery,
    following: readonly Posting[],
    effects: Effects | undefined,
    result: string,
    isCancelled: boolean,
  ): Promise<'finished' | 'absent' | 'gone' | 'layout'> {
    for (const posting of following) if (!layout.has(posting.lane)) await layout.open(posting.lane, 'queue.finish')
    const { lease, lane, entry, envelope } = delivery
    const { id, isNamed, group = '' } = envelope
    const { resultMs = 0, keepIdMs = 0, siblings = 0 } = optionsOf(delivery)
    const { parent = '', place = '' } = (siblings > 0 ? kinOf(id) : undefined) ?? {}
    const { state, leases, delayed, bodies, ids, idle, wake, kept } = layout.keys
    const keys = {
      ...{ state, leases, delayed, bodies, ids, idle, tallies: talliesKey(layout.keys) },
      ...{ progress: layout.keys.progress(id), result: resultKey(layout.keys, id) },
      ...{ lane: layout.keys.lane(lane), wake, kept, lanes: layout.all },
      ...{ family: layout.keys.family(id), kin: layout.keys.family(parent) },
    }
    const tallies = [...(effects?.tallies ?? [])].flatMap(([name, by]) => [name, String(by)])
    const jobs = following.flatMap(({ ms, named, envelope }) => [String(ms), named, envelope])
    const args = {
      ...{ layout: layout.text, channel: bellPrefix(this.#redis.keyspace), consumer: lease.id, entry },
      ...{
        named: isNamed ? id : '',
        keepIdMs: isCancelled ? 0 : keepIdMs,
        resultMs: isCancelled ? 0 : resultMs,
        result,
      },
      ...{ parent, place, word: isCancelled ? 'c' : `d${result}`, siblings, keepMs: KEEP_MS },
      ...{
        outcome: outcomeChannel(this.#redis, this.#layouts, id),
        group,
        most: this.#postings.groupMost,
        tallies: tallies.length / 2,
        rest: [...tallies, ...jobs],
      },
    }
    const reply = await finishScript.run(this.#redis, keys, args, { operation: 'queue.finish', repeat: true })
    if (reply[0] === 'layout') layout.learn(reply[1])
    return reply[0]
  }

  /** Adds what goes elsewhere, under an id that a second attempt uses too, and answers what goes along. */
  async #prepare(delivery: Delivery, shard: number, followUps: readonly FollowUp[]): Promise<Posting[]> {
    const following: Posting[] = []
    const { id } = delivery.envelope
    for (const [i, { data, options, queue }] of followUps.entries()) {
      const prepared = queue === undefined ? await this.#postings.prepareNear(shard, data, options) : undefined
      if (prepared?.shard === shard) following.push(prepared.posting)
      else await (queue ?? this.#own).add(data as never, { id: followId(this.#own.name, id, i), ...options })
    }
    return following
  }
}

function writeResult(value: unknown, most: number, onUnkept: ((error: unknown) => void) | undefined): string {
  try {
    return writeReport(value, most, 'result')
  } catch (error) {
    if (onUnkept === undefined) throw error
    onUnkept(error)
    return writeReport(undefined, most, 'result')
  }
}

/** The same at each attempt; long ones are cut in their middle, where they differ least. */
function followId(queue: string, id: string, n: number): string {
  const text = `${queue}/${id}/${n}`
  return Buffer.byteLength(text) <= 120 ? text : `${createHash('sha256').update(text).digest('base64url')}/${n}`
}
