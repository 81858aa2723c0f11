import { checkFunction, checkInteger, checkKnown, checkSignal } from '../base/check.ts'
import { LONGEST_TIMER_MS, monotonicMs, sleep, unlessAborted } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { readEnvelope } from '../stream/envelope.ts'
import { AWAITED_MS } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import type { DeadReason, JobFailure } from './events.ts'
import { readFailure } from './failure.ts'
import { parentOf, resultKey, shardOf } from './keys.ts'
import { cancelScript, findJobScript } from './lua.generated.ts'
import { moveJob } from './moving.ts'
import { noticeChannel, outcomeChannel } from './notices.ts'
import { readReport } from './reports.ts'

export interface LookOptions {
  /** Most jobs that wait or run among which it is looked for, 0 to 1 million. Default 10,000. */
  readonly within?: number
}

/** What is known of a job. */
export interface JobInfo {
  readonly id: string
  /**
   * `waiting` for its turn, `delayed` until its time or until its children are done, `active`: it runs, or its worker has died and the lease not ended; `done`: its result is
   * kept; `dead`; `open`: it waits or runs and was not found among as many as were looked at.
   */
  readonly state: 'waiting' | 'delayed' | 'active' | 'done' | 'dead' | 'open'
  /** Attempts so far, the one under way included; undefined where that is not known. */
  readonly attempts: number | undefined
  readonly priority: number | undefined
  readonly addedAtMs: number | undefined
  /** When a delayed one may run. */
  readonly dueAtMs: number | undefined
  /** When a dead one died. */
  readonly diedAtMs: number | undefined
  /** What its handler said last, by `job.progress`. */
  readonly progress: unknown
}

export interface ResultOptions {
  /** How long to wait for it. Default: not at all. */
  readonly wait?: Duration
  /** Told of what its handler says meanwhile, the latest. */
  readonly onProgress?: (value: unknown) => void
  readonly signal?: AbortSignal
}

/** What came of a job. `pending`: nothing yet; `unknown`: there is no such job, or it is done and its result was not kept, or no longer. */
export type JobResult<R = unknown> =
  | { readonly status: 'done'; readonly value: R }
  | { readonly status: 'dead'; readonly reason: DeadReason; readonly error: JobFailure | undefined }
  | { readonly status: 'pending' }
  | { readonly status: 'unknown' }

/** `removed`: it waited, and will not run; `told`: it runs, and its signal fires; `absent`: it was not found. */
export type Cancelled = 'removed' | 'told' | 'absent'

/** Entries of one call. */
const PAGE = 200
const LOOK_WITHIN = 10_000
/** A message may be lost: who waits looks by himself so often. */
const LOOK_AGAIN_MS = 2_000
/** Nobody at all has heard that a job is cancelled: so often again, so much later. */
const UNHEARD_TRIES = 5
const UNHEARD_MS = 50
/** An answer of Redis is waited for until the wait is over, in few different lengths: the ground keeps a list for each. */
const STEP_MS = 1_000

type Found = Exclude<Awaited<ReturnType<typeof findJobScript.run>>, readonly ['layout' | 'more', ...unknown[]]>

/** Jobs by their ids, from anywhere in the fleet. */
export class JobBook {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]

  constructor(redis: Redis, layouts: readonly Layout[]) {
    this.#redis = redis
    this.#layouts = layouts
  }

  /** Where it may be: in the shard of its id, or, where it has a group, in any. */
  #layoutsOf(id: string): readonly Layout[] {
    if (typeof id !== 'string' || id === '') throw new ConfigError('id', 'the id of a job', id)
    const first = this.#layouts[shardOf(id, this.#layouts.length)] as Layout
    return [first, ...this.#layouts.filter((layout) => layout !== first)]
  }

  async job(id: string, options?: LookOptions): Promise<JobInfo | undefined> {
    const found = await this.#find(this.#layoutsOf(id), id, checkWithin(options))
    const nothing = { attempts: undefined, priority: undefined, addedAtMs: undefined, dueAtMs: undefined }
    const blank = { id, ...nothing, diedAtMs: undefined, progress: undefined }
    const [state] = found
    switch (state) {
      case 'absent':
        return undefined
      case 'open':
        return { ...blank, state, progress: readReport(found[1]) }
      case 'done':
        return { ...blank, state }
      case 'dead':
        return { ...blank, state, diedAtMs: found[1], ...envelopeFacts(readDead(found[2]).envelope) }
      case 'delayed':
        return {
          ...{ ...blank, state, dueAtMs: found[1] >= AWAITED_MS ? undefined : found[1] },
          ...{ progress: readReport(found[2]), ...envelopeFacts(found[3]) },
        }
      default: {
        const [, entry, deliveries, progress, envelope] = found
        const { attempts, addedAtMs, ...rest } = envelopeFacts(envelope)
        const sinceMs = addedAtMs ?? (entry === '' ? undefined : Number.parseInt(entry, 10))
        const added = { attempts: attempts + deliveries, addedAtMs: sinceMs }
        // What was said before its first attempt was said of another of the same id.
        return { ...blank, state, progress: added.attempts > 0 ? readReport(progress) : undefined, ...rest, ...added }
      }
    }
  }

  async result<R>(id: string, options: ResultOptions = {}): Promise<JobResult<R>> {
    checkKnown('options', options, ['wait', 'onProgress', 'signal'])
    const { wait } = options
    const onProgress = checkFunction('onProgress', options.onProgress)
    const signal = checkSignal(options.signal)
    signal?.throwIfAborted()
    const layouts = this.#layoutsOf(id)
    const waitMs = wait === undefined ? 0 : toMs(wait, 'wait', { min: 0, max: LONGEST_TIMER_MS })
    if (waitMs === 0) return unlessAborted(this.#outcome<R>(layouts, id, onProgress), signal)
    const untilMs = monotonicMs() + waitMs
    let wake = () => {}
    let isRung = false
    const ring = () => {
      isRung = true
      wake()
    }
    // First to hear, then to look: what comes between is heard.
    const listening = this.#redis.listeners
      .listen(
        outcomeChannel(this.#redis, this.#layouts, id),
        ring,
        layouts.length === 1 ? layouts[0]?.keys.state : undefined,
      )
      .catch(() => () => {})
    const end = new AbortController()
    try {
      // Redis may be away for longer than anybody waits.
      await unlessAborted(Promise.race([listening, sleep(waitMs, end.signal).catch(() => {})]), signal)
      signal?.addEventListener('abort', ring)
      for (;;) {
        signal?.throwIfAborted()
        isRung = false
        const steps = Math.max(1, Math.ceil((untilMs - monotonicMs()) / STEP_MS))
        const mostMs = Math.min(this.#redis.timeoutMs, steps * STEP_MS)
        const outcome = await unlessAborted(this.#outcome<R>(layouts, id, onProgress, mostMs), signal)
        const leftMs = untilMs - monotonicMs()
        if (outcome.status !== 'pending' || leftMs <= 0) return outcome
        if (!isRung)
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, Math.min(leftMs, LOOK_AGAIN_MS))
            wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
      }
    } finally {
      end.abort()
      signal?.removeEventListener('abort', ring)
      void listening.then((stop) => stop())
    }
  }

  async #outcome<R>(
    layouts: readonly Layout[],
    id: string,
    onProgress: ResultOptions['onProgress'],
    timeoutMs = this.#redis.timeoutMs,
  ): Promise<JobResult<R>> {
    const found = await this.#find(layouts, id, 0, timeoutMs)
    if (found[0] === 'done') return { status: 'done', value: readReport(found[1]) as R }
    if (found[0] === 'dead') {
      const { reason, error } = readDead(found[2])
      return { status: 'dead', reason, error }
    }
    if (found[0] === 'absent') {
      // Without an id of the user's only its entry says that it is there.
      const there = await this.#find(layouts, id, LOOK_WITHIN, timeoutMs)
      if (there[0] === 'absent') return { status: 'unknown' }
      return there[0] === 'done' || there[0] === 'dead'
        ? this.#outcome(layouts, id, onProgress, timeoutMs)
        : { status: 'pending' }
    }
    const progress = found[0] === 'open' ? found[1] : found[2]
    if (onProgress !== undefined && Buffer.isBuffer(progress) && progress.length > 0) onProgress(readReport(progress))
    return { status: 'pending' }
  }

  async cancel(id: string, options?: LookOptions): Promise<Cancelled> {
    const within = checkWithin(options)
    for (let tries = 0; ; tries++) {
      const cancelled = await this.#cancelOnce(id, within)
      // It has ended meanwhile.
      if (cancelled === 'absent' && tries > 0) return 'told'
      if (cancelled !== 'unheard') return cancelled
      // Who has just begun to run jobs may not hear yet; who runs it may not be able to, or be dead.
      if (tries === UNHEARD_TRIES) return 'told'
      await sleep(UNHEARD_MS)
    }
  }

  async #cancelOnce(id: string, within: number): Promise<Cancelled | 'unheard'> {
    for (const layout of this.#layoutsOf(id)) {
      const moved = await this.#takeAway(layout, id)
      const cancelled = moved ? 'removed' : await this.#cancelIn(layout, id, within)
      if (cancelled !== 'absent') return cancelled
    }
    return 'absent'
  }

  /** One that waits in no lane: for its time, by its exact rank, or in the line of its group. */
  #takeAway(layout: Layout, id: string): Promise<boolean> {
    return moveJob(this.#redis, layout.keys, id, '', 'queue.cancel')
  }

  #kinOf({ keys }: Layout, id: string) {
    return { family: keys.family(id), kin: keys.family(parentOf(id)) }
  }

  async #cancelIn(layout: Layout, id: string, within: number): Promise<Cancelled | 'unheard'> {
    let left = within
    let lane = 1
    let from = ''
    for (;;) {
      const { state, ids, delayed } = layout.keys
      const progress = layout.keys.progress(id)
      const keys = { state, ids, progress, delayed, ...this.#kinOf(layout, id), lanes: layout.all }
      const args = {
        ...{ layout: layout.text, id, most: Math.max(1, Math.min(PAGE, left)), lane, from },
        notices: noticeChannel(this.#redis, layout),
        outcome: outcomeChannel(this.#redis, this.#layouts, id),
      }
      // A repeat would find what it has removed no more, and say so.
      const reply = await cancelScript.run(this.#redis, keys, args, { operation: 'queue.cancel', repeat: false })
      if (reply[0] === 'layout') layout.learn(reply[1])
      else if (reply[0] === 'running') return reply[1] === 0 ? 'unheard' : 'told'
      else if (reply[0] !== 'more') return reply[0]
      else {
        left -= PAGE
        if (left <= 0) return 'absent'
        ;[, lane, from] = reply
      }
    }
  }

  async #find(
    layouts: readonly Layout[],
    id: string,
    within: number,
    timeoutMs = this.#redis.timeoutMs,
  ): Promise<Found> {
    for (const layout of layouts) {
      const found = await this.#findIn(layout, id, within, timeoutMs)
      if (found[0] !== 'absent') return found
    }
    return ['absent']
  }

  async #findIn(layout: Layout, id: string, within: number, timeoutMs: number): Promise<Found> {
    let left = within
    let lane = 1
    let from = ''
    for (;;) {
      const { state, delayed, bodies, ids, dead, deadBodies } = layout.keys
      const keys = {
        ...{ state, delayed, bodies, ids, dead, deadBodies, progress: layout.keys.progress(id) },
        ...{ result: resultKey(layout.keys, id), lanes: layout.all },
      }
      const args = { layout: layout.text, id, most: Math.min(PAGE, left), lane, from }
      const options = { operation: 'queue.job', repeat: true, timeoutMs }
      const reply = await findJobScript.run(this.#redis, keys, args, options)
      if (reply[0] === 'layout') {
        layout.learn(reply[1])
        left = within
        lane = 1
        from = ''
      } else if (reply[0] === 'more') {
        left = Math.max(0, left - PAGE)
        ;[, lane, from] = reply
      } else return reply
    }
  }
}

function checkWithin(options: LookOptions = {}): number {
  checkKnown('options', options, ['within'])
  return checkInteger('within', options.within ?? LOOK_WITHIN, 0, 1_000_000)
}

function envelopeFacts(bytes: Buffer) {
  const { used, priority, addedAtMs } = readEnvelope(bytes, 0, bytes.length)
  return { attempts: used, priority, addedAtMs }
}

/** A dead letter's body: reason, error, envelope. */
function readDead(body: Buffer) {
  const start = 1 + (body[0] as number)
  const end = start + 7 + Number(body.toString('latin1', start, start + 7))
  return {
    reason: body.toString('latin1', 1, start) as DeadReason,
    error: readFailure(body.toString('utf8', start + 7, end)),
    envelope: body.subarray(end),
  }
}
