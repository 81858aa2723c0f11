import { monotonicMs } from '../base/clock.ts'
import { ConfigError, ServerError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import type { Durability } from '../redis/durable/durable.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import { bellPrefix } from './keys.ts'
import { crowded, type Layout, MOST_LANES } from './layout.ts'
import { addScript, recallScript } from './lua.generated.ts'

/** A job on its way into a stream. */
export interface Posting {
  readonly envelope: string
  /** The priority of the lane that it needs; `HELD` for one that waits by exact rank or in a group. */
  readonly lane: number
  /**
   * `in`: so long from now, 0 for now; `at`: at this moment of the server's clock. With a rule of its id before it, `keep`: it is refused while the
   * id is kept; `last`: it takes the place of one of its id that waits for its time; `root`: a parent, and
   * `with`: what is added with it or not at all.
   */
  readonly kind: `${'' | 'keep ' | 'last '}${'in' | 'at'}` | 'root in' | 'with in'
  /** -1: it waits for its children. */
  readonly ms: number
  /** The id, if it is the user's; '' otherwise. */
  readonly named: string
}

/**
 * `exists`: a job with this id is there already. `full`: there are as many jobs as there may be. By the rule `last` also under its id and a number,
 * or in the place of one that waited for its time; 0: under its id.
 */
export type Outcome = 'added' | 'exists' | 'full' | `added@${number}` | `replaced@${number}`

/** What came of postings. */
export interface Posted {
  /** Of each, in their order. */
  readonly outcomes: readonly Outcome[]
  /** True when the durability that was asked for has been reached, for all of them. */
  readonly durable: boolean
}

export interface ProducerBounds {
  /** Most jobs that there may be in the shard; 0 for any number. */
  readonly length: number
  /** Jobs of one group that may run at the same time. */
  readonly groupMost: number
  /** What an answer waits for. Default: the memory of the server alone. */
  readonly durability?: Durability | undefined
}

interface Order {
  readonly postings: readonly Posting[]
  readonly outcomes: Outcome[]
  readonly resolve: (posted: Posted) => void
  readonly reject: (error: unknown) => void
  readonly madeMs: number
  /** In one step, by itself. */
  readonly isWhole: boolean
  /** How many have been taken into a batch. */
  taken: number
  /** How many have no answer yet. */
  left: number
  failed: boolean
  durable: boolean
}

/** Jobs of one script call: more would keep others from the server for too long. */
const MOST_JOBS = 500
const MOST_LETTERS = 512 * 1024
/** Batches under way at a time: the server works on one while the next is written. */
const SLOTS = 2
/** A repeat of a call cannot come later. */
const KEEP_MS = 60_000
/** A batch that waited behind others has at least this time left. */
const LEAST_TIME_MS = 20
const STEP_MS = 16

interface Slot {
  readonly receipt: Key
  batch: number
  isBusy: boolean
}

const WORDS: Readonly<Record<string, Outcome>> = { a: 'added', x: 'exists', f: 'full' }
const LETTER_A = 65

function outcomeOf(word: string): Outcome {
  const known = WORDS[word]
  if (known !== undefined) return known
  return word <= '9' ? `added@${Number(word)}` : `replaced@${word.charCodeAt(0) - LETTER_A}`
}

const isPlain = ({ lane, kind, ms, named }: Posting): boolean => lane === 0 && kind === 'in' && ms === 0 && named === ''

/** Puts jobs into one shard. Those of one tick, and all that come while others are under way, leave in one call of bounded size. */
export class Producer {
  readonly #redis: Redis
  readonly #layout: Layout
  readonly #operation: string
  readonly #slots: readonly Slot[]
  readonly #channel: string
  readonly #length: number
  readonly #groupMost: number
  readonly #durability: Durability | undefined
  readonly #options = new Map<number, ScriptOptions>()
  #orders: Order[] = []
  #isScheduled = false

  constructor(
    redis: Redis,
    layout: Layout,
    room: string,
    id: string,
    { length, groupMost, durability }: ProducerBounds,
  ) {
    this.#redis = redis
    this.#layout = layout
    this.#operation = `${room}.add`
    this.#length = length
    this.#groupMost = groupMost
    this.#durability = durability
    this.#channel = bellPrefix(redis.keyspace)
    this.#slots = Array.from({ length: SLOTS }, (_, slot) => ({
      receipt: layout.keys.receipt(id, slot),
      batch: 0,
      isBusy: false,
    }))
  }

  /** The outcome of each, in order. Up to 500 at a time they are put in together or, where the length is bounded or `isWhole`, not at all. */
  post(postings: readonly Posting[], isWhole = this.#length > 0 && postings.length > 1): Promise<Posted> {
    return new Promise((resolve, reject) => {
      const madeMs = monotonicMs()
      const state = { taken: 0, left: postings.length, failed: false, durable: this.#durability !== undefined }
      this.#orders.push({ postings, outcomes: [], resolve, reject, madeMs, isWhole, ...state })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled || this.#orders.length === 0 || this.#slots.every(({ isBusy }) => isBusy)) return
    this.#isScheduled = true
    // After all that is ready to run: whoever else adds in this tick comes along.
    process.nextTick(() => {
      this.#isScheduled = false
      const slot = this.#slots.find(({ isBusy }) => !isBusy)
      if (slot === undefined) return
      const batch = this.#gather()
      if (batch.length > 0) void this.#send(slot, batch)
      this.#schedule()
    })
  }

  /** The next of those that wait, as pieces of orders. */
  #gather(): readonly Piece[] {
    const pieces: Piece[] = []
    let jobs = 0
    let letters = 0
    while (this.#orders.length > 0 && jobs < MOST_JOBS && letters < MOST_LETTERS) {
      const order = this.#orders[0] as Order
      // All or none of it: by itself.
      const { isWhole } = order
      if (isWhole && pieces.length > 0) break
      const from = order.taken
      const isFamily = (order.postings[0] as Posting | undefined)?.kind === 'root in'
      while (order.taken < order.postings.length && jobs < MOST_JOBS && (isFamily || letters < MOST_LETTERS)) {
        letters += (order.postings[order.taken++] as Posting).envelope.length
        jobs++
      }
      pieces.push({ order, from, to: order.taken })
      if (order.taken === order.postings.length) this.#orders.shift()
      if (isWhole) break
    }
    return pieces
  }

  async #send(slot: Slot, pieces: readonly Piece[]): Promise<void> {
    slot.isBusy = true
    try {
      await this.#deliver(slot, pieces)
    } finally {
      slot.isBusy = false
      this.#schedule()
    }
  }

  async #deliver(slot: Slot, pieces: readonly Piece[]): Promise<void> {
    try {
      const { outcomes, durable, refusal } = await this.#add(slot, pieces)
      let at = 0
      for (const { order, from, to } of pieces) {
        const own = outcomes.slice(at, at + to - from)
        at += to - from
        if (own.includes(undefined)) {
          this.#fail(order, refusal)
          continue
        }
        for (let i = from; i < to; i++) order.outcomes[i] = own[i - from] as Outcome
        order.durable &&= durable
        order.left -= to - from
        // Of two pieces under way the later may be answered first.
        if (order.left === 0 && !order.failed) order.resolve(order)
      }
    } catch (error) {
      if (pieces.length > 1 && error instanceof ConfigError && error.option === 'priority') {
        // Nothing was sent. One asks for a priority that has no place: who came along is not to blame, and goes without it.
        const half = pieces.length >> 1
        await this.#deliver(slot, pieces.slice(0, half))
        return this.#deliver(slot, pieces.slice(half))
      }
      for (const { order } of pieces) this.#fail(order, error)
    }
  }

  #fail(order: Order, error: unknown): void {
    order.failed = true
    order.reject(error)
    const waiting = this.#orders.indexOf(order)
    if (waiting >= 0) this.#orders.splice(waiting, 1)
  }

  async #add(slot: Slot, pieces: readonly Piece[]): Promise<Answer> {
    const postings = pieces.flatMap(({ order, from, to }) =>
      from === 0 && to === order.postings.length ? order.postings : order.postings.slice(from, to),
    )
    const oldestMs = (pieces[0] as Piece).order.madeMs
    const batch = ++slot.batch
    const isWhole = this.#length > 0 && postings.length > 1 && pieces.length === 1 ? 1 : 0
    for (;;) {
      await this.#openLanes(postings)
      const { text: layout } = this.#layout
      const { keys, lanes, jobs, plain } = this.#pack(postings, slot)
      const args = {
        ...{ layout, channel: this.#channel, batch, keepMs: KEEP_MS, length: this.#length, whole: isWhole },
        ...{ group: this.#groupMost, plain, jobs },
      }
      const options = this.#optionsAfter(monotonicMs() - oldestMs)
      const sending =
        this.#durability === undefined
          ? addScript.run(this.#redis, { ...keys, lanes }, args, options).then((reply) => ({ reply, durable: false }))
          : addScript.runDurably(this.#redis, { ...keys, lanes }, args, options, this.#durability)
      const answer = await sending.catch((error) => this.#recall(slot, postings, error))
      if ('outcomes' in answer) return answer
      const { reply, durable } = answer
      if (reply[0] === 'layout') this.#layout.learn(String(reply[1]))
      else if (reply[0] === 'full') return { outcomes: postings.map(() => 'full'), durable: false }
      else return { outcomes: outcomesOf(postings, reply[1], String(reply[2])), durable }
    }
  }

  /**
   * A full server refuses a call that is repeated as it refuses any, also where the one before it was carried out and its answer lost. It can still be
   * asked. Throws the refusal where it cannot, or where nothing of this is there.
   */
  async #recall(slot: Slot, postings: readonly Posting[], refusal: unknown): Promise<Answer> {
    const isFull = refusal instanceof ServerError && refusal.code === 'SERVER_FULL'
    // One that replaces is not there because its id is.
    const others = postings
      .filter((posting) => !isPlain(posting))
      .map(({ kind, named }) => (kind.startsWith('last') ? '' : named))
    if (!isFull || !(refusal.sent || others.some((named) => named !== ''))) throw refusal
    const keys = { receipt: slot.receipt, ids: this.#layout.keys.ids }
    const options = { operation: this.#operation, repeat: true }
    const reply = await recallScript.run(this.#redis, keys, { batch: slot.batch, ids: others }, options).catch(() => {
      throw refusal
    })
    if (reply[0] === 'added') return { outcomes: outcomesOf(postings, reply[1], reply[2]), durable: false }
    const words = reply[1]
    let other = 0
    const outcomes = postings.map((posting) => (!isPlain(posting) && words[other++] === 'x' ? 'exists' : undefined))
    return { outcomes, durable: false, refusal: refusal.sent ? certainOf(refusal) : refusal }
  }

  /** What is left of the timeout, in few steps: the ground completes options once, and keeps a list for each length of deadlines. */
  #optionsAfter(waitedMs: number): ScriptOptions {
    const spentMs = waitedMs < STEP_MS / 16 ? 0 : Math.ceil(waitedMs / STEP_MS) * STEP_MS
    const timeoutMs = Math.max(LEAST_TIME_MS, this.#redis.timeoutMs - spentMs)
    let options = this.#options.get(timeoutMs)
    if (options === undefined) {
      options = { operation: this.#operation, repeat: true, timeoutMs }
      this.#options.set(timeoutMs, options)
    }
    return options
  }

  async #openLanes(postings: readonly Posting[]): Promise<void> {
    // Opening one may have cost an empty one its place: what is sent must have all of its own. That other is then opened anew, and where those that
    // have jobs leave too few places for all of these, that would go on for ever.
    for (let opened = 0; ; opened++) {
      const missing = postings.find(({ lane }) => !this.#layout.has(lane))
      if (missing === undefined) return
      if (opened > 2 * MOST_LANES) throw crowded(this.#layout.priorities, missing.lane)
      const lanes = new Set(postings.map(({ lane }) => lane))
      if (lanes.size > MOST_LANES)
        throw new ConfigError('priority', `at most ${MOST_LANES} different ones in one step`, lanes.size)
      await this.#layout.open(missing.lane, this.#operation)
    }
  }

  #pack(postings: readonly Posting[], slot: Slot) {
    const { state, delayed, bodies, ids, idle, wake, kept } = this.#layout.keys
    const plains = this.#layout.keys.lane(0)
    const keys = { state, receipt: slot.receipt, delayed, bodies, ids, idle, plains, wake, kept }
    const jobs: string[] = []
    const others: string[] = []
    for (const posting of postings) {
      const { kind, ms, named, envelope } = posting
      if (isPlain(posting)) jobs.push(envelope)
      else others.push(kind, String(ms), named, envelope)
    }
    const plain = jobs.length
    for (const other of others) jobs.push(other)
    // Plain ones need no other lane, unless all are counted.
    const lanes = others.length > 0 || this.#length > 0 ? this.#layout.all : []
    return { keys, lanes, jobs, plain }
  }
}

/** What came of a batch: `undefined` of a job that was refused, for what `refusal` says. */
interface Answer {
  readonly outcomes: readonly (Outcome | undefined)[]
  readonly durable: boolean
  readonly refusal?: unknown
}

/** The same refusal, of which it is known by now that nothing was added. */
const certainOf = ({ code, operation, reply, retryable, cause }: ServerError): ServerError =>
  new ServerError(code as 'SERVER_FULL', operation, 'the server is at maxmemory and refuses writes', {
    ...{ reply, retryable, cause },
  })

interface Piece {
  readonly order: Order
  readonly from: number
  readonly to: number
}

function outcomesOf(postings: readonly Posting[], admitted: number, words: string): readonly Outcome[] {
  let plain = 0
  let other = 0
  return postings.map((posting) =>
    isPlain(posting) ? (plain++ < admitted ? 'added' : 'full') : outcomeOf(words[other++] as string),
  )
}

/** Ids of one producer: no other ever makes the same, and those made later come later in any order of texts. */
export class ProducerIds {
  /** 54 bits of chance. */
  readonly producer = randomId(9)
  #count = 0

  next(): string {
    const count = (this.#count++).toString(36)
    return `${this.producer}${count.length.toString(36)}${count}`
  }
}
