import { monotonicMs, unlessAborted } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { randomId } from '../base/id.ts'
import { Observed, type Operation } from '../base/observe.ts'
import type { Key } from '../redis/keyspace.ts'
import { isOutage, type Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import { removeMatching } from '../redis/sweep.ts'
import { figuresOf, type RuleFigures, type State } from './figures.ts'
import type { LimiterStats } from './inspect.ts'
import { LimitKeys } from './keys.ts'
import { LocalLimiter } from './local.ts'
import {
  blockScript,
  type ConsumeReply,
  consumeOneScript,
  consumeScript,
  peekScript,
  refundScript,
} from './lua.generated.ts'
import {
  boundsOf,
  type ConsumeOptions,
  checkConsume,
  checkCost,
  checkLimitId,
  type ResolvedLimiterOptions,
} from './options.ts'
import { PermitDesk } from './permits.ts'
import { Refusals } from './refusals.ts'
import { limitRights } from './rights.ts'
import { type Bounds, hasOwnKey } from './rules.ts'
import { Turn } from './turn.ts'

const OBSERVED = {
  consume: new Observed('limit.consume'),
  peek: new Observed('limit.peek'),
  refund: new Observed('limit.refund'),
  block: new Observed('limit.block'),
  reset: new Observed('limit.reset'),
} as const

const LONGEST_BLOCK_MS = 10 * 365 * 86_400_000

/** What is asked of the rules. */
interface Question {
  readonly id: string
  readonly cost: number
  readonly bounds: readonly Bounds[]
  readonly token: string
  readonly commit: boolean
}

/**
 * How much each id may, by one or many rules, decided for the whole fleet in one step. Made by `hf.limiter(name, options)`.
 *
 * promise  exact on one primary for every algorithm but `sliding`; all rules or none; a refusal is a value, and costs nothing.
 *          A failover may forget the last of what was admitted.
 * costs    one script, one round trip
 */
export class Limiter {
  readonly name: string
  readonly #redis: Redis
  readonly #options: ResolvedLimiterOptions
  readonly #keys: LimitKeys
  readonly #permits: PermitDesk | undefined
  readonly #local: LocalLimiter
  readonly #refusals: Refusals<readonly RuleFigures[]> | undefined
  /** The only rule, where its state is three numbers: by a shorter script. */
  readonly #one: { readonly per: string; readonly field: string } | undefined
  readonly #usual: { readonly bounds: readonly Bounds[]; readonly rules: readonly string[] } | undefined
  readonly #once: ScriptOptions
  readonly #reading: ScriptOptions
  readonly #counts = { allowed: 0, refused: 0, remembered: 0, withoutRedis: 0 }
  #vetted = false

  /** @internal Made by `hf.limiter`. */
  constructor(redis: Redis, name: string, options: ResolvedLimiterOptions) {
    const { rules, timeoutMs } = options
    this.name = name
    this.#redis = redis
    this.#options = options
    this.#keys = new LimitKeys(redis.keyspace, name)
    this.#local = new LocalLimiter(rules, options.localShare)
    this.#permits = rules.some(({ algorithm }) => algorithm === 'concurrency')
      ? new PermitDesk(redis, this.#keys, rules, timeoutMs)
      : undefined
    this.#refusals = options.rememberRefusals ? new Refusals() : undefined
    const [first] = rules
    if (rules.length === 1 && first !== undefined && !hasOwnKey(first))
      this.#one = { per: String(first.perUs), field: first.field }
    if (rules.every(({ limit }) => typeof limit === 'number')) {
      const bounds = boundsOf(rules, '', undefined)
      this.#usual = { bounds, rules: this.#ruleArgs(bounds) }
    }
    const deadline = timeoutMs === undefined ? {} : { timeoutMs }
    this.#once = { operation: 'limit.consume', repeat: false, ...deadline }
    this.#reading = { operation: 'limit.peek', repeat: true, ...deadline }
  }

  /**
   * Asks for a turn: admitted by all rules, which then count it, or by none. A refusal is a value.
   *
   * id       who asks: any string of at most 512 bytes; see `ipKey` for addresses
   * returns  the turn; with a rule of `concurrency` it holds permits, to be given back by `release()`
   * throws   ConfigError for a cost above what the rules admit at once. Without `whenDown`: TIMEOUT, CONNECTION_LOST, SERVER_FULL; it is
   *          never sent twice, and `sent` says whether it may have been counted
   */
  async consume(id: string, options?: ConsumeOptions): Promise<Turn> {
    const question = this.#question(id, options, true)
    options?.signal?.throwIfAborted()
    const work = OBSERVED.consume.heard
      ? OBSERVED.consume.run({ limiter: this.name }, (operation) => this.#tell(operation, this.#ask(question)))
      : this.#ask(question)
    const turn = await (options?.signal === undefined ? work : this.#unlessAborted(work, options.signal))
    this.#counts[turn.allowed ? 'allowed' : 'refused']++
    return turn
  }

  /** Permits that come when nobody waits for them any more are given back. */
  #unlessAborted(work: Promise<Turn>, signal: AbortSignal): Promise<Turn> {
    work.then(
      (turn) => (signal.aborted ? turn.release().catch(() => {}) : undefined),
      () => {},
    )
    return unlessAborted(work, signal)
  }

  /** What `consume` would answer now. Nothing is counted, and nothing remembered is asked. */
  async peek(id: string, options?: ConsumeOptions): Promise<Turn> {
    const question = this.#question(id, options, false)
    options?.signal?.throwIfAborted()
    const work = OBSERVED.peek.run({ limiter: this.name }, (operation) => this.#tell(operation, this.#ask(question)))
    return unlessAborted(work, options?.signal)
  }

  /**
   * Takes back a cost that was admitted, as far as it still counts; never more than nothing. Permits are given back by their turn.
   *
   * throws  TIMEOUT, CONNECTION_LOST: it is never sent twice, and `sent` says whether it may have been done
   */
  async refund(id: string, cost = 1, options: Pick<ConsumeOptions, 'limits'> = {}): Promise<void> {
    const { bounds } = this.#question(id, { ...options, cost }, false)
    const counted = this.#options.rules.map(({ algorithm }) => algorithm !== 'concurrency')
    await this.#making(id, OBSERVED.refund, async () => {
      const args = { cost, rules: this.#ruleArgs(bounds, counted) }
      const { state, more } = this.#keysOf(id, counted)
      await refundScript.run(this.#redis, { state, more }, args, { ...this.#once, operation: 'limit.refund' })
    })
  }

  /** Admits nobody under this id for so long, whatever the rules say; `0` ends a block. */
  async block(id: string, duration: Duration): Promise<void> {
    checkLimitId(id)
    const forMs = toMs(duration, 'duration', { min: 0, max: LONGEST_BLOCK_MS })
    const options = { ...this.#reading, operation: 'limit.block' }
    const state = this.#keys.state(id)
    await this.#making(id, OBSERVED.block, async () => {
      if (forMs === 0) await this.#redis.call(state, 'HDEL', [state, 'blocked'], options)
      else await blockScript.run(this.#redis, { state }, { forUs: String(forMs * 1_000) }, options)
    })
  }

  /** Forgets all that was admitted under this id, its permits and its block. */
  async reset(id: string): Promise<void> {
    checkLimitId(id)
    await this.#making(id, OBSERVED.reset, async () => {
      const { state, more } = this.#keysOf(id)
      await this.#redis.call(state, 'UNLINK', [state, ...more], { ...this.#reading, operation: 'limit.reset' })
    })
    this.#local.forget(id)
  }

  /** Forgets all ids. Looks at every key of every server, beside other callers' commands. */
  async clear(): Promise<void> {
    this.#vet()
    try {
      await removeMatching(this.#redis, this.#keys.pattern, 'limit.clear')
    } finally {
      this.#refusals?.forgetAll()
    }
    this.#local.forgetAll()
  }

  /** What this limiter did in this process. */
  get stats(): LimiterStats {
    return { ...this.#counts }
  }

  async #making(id: string, observed: Observed, work: () => Promise<void>): Promise<void> {
    this.#vet()
    try {
      await observed.run({ limiter: this.name }, work)
    } finally {
      this.#refusals?.forget(id)
    }
  }

  #question(id: string, options: ConsumeOptions | undefined, commit: boolean): Question {
    checkLimitId(id)
    checkConsume(options)
    const { rules } = this.#options
    const bounds =
      this.#usual !== undefined && options?.limits === undefined
        ? this.#usual.bounds
        : boundsOf(rules, id, options?.limits)
    const cost = checkCost(options?.cost ?? 1, rules, bounds)
    return { id, cost, bounds, token: commit && this.#permits !== undefined ? randomId(16) : '', commit }
  }

  async #ask(question: Question): Promise<Turn> {
    const { id, cost, bounds, commit } = question
    this.#vet()
    const sentMs = monotonicMs()
    const isUsual = bounds === this.#usual?.bounds
    if (commit && isUsual) {
      const known = this.#refusals?.find(id, cost, sentMs)
      if (known !== undefined) {
        this.#counts.remembered++
        return new Turn(known.answer, { allowed: false, source: 'memory', retryAfterMs: Math.ceil(known.leftMs) })
      }
    }
    const epoch = this.#refusals?.epoch ?? 0
    let reply: ConsumeReply
    try {
      reply = await this.#send(question)
    } catch (error) {
      return this.#withoutRedis(error, question)
    }
    const turn = this.#turnOf(reply, question)
    if (!turn.allowed && !turn.blocked && commit && isUsual) this.#remember(question, turn.rules, sentMs, epoch)
    return turn
  }

  #send({ id, cost, bounds, token, commit }: Question): Promise<ConsumeReply> {
    if (commit && this.#one !== undefined) {
      const { limit, most } = bounds[0] as Bounds
      const args = { cost, limit: String(limit), per: this.#one.per, most: String(most), field: this.#one.field }
      return consumeOneScript.run(this.#redis, { state: this.#keys.state(id) }, args, this.#once)
    }
    const rules = this.#argsOf(bounds)
    return commit
      ? consumeScript.run(this.#redis, this.#keysOf(id), { cost, permit: token, rules }, this.#once)
      : peekScript.run(this.#redis, this.#keysOf(id), { cost, rules }, this.#reading)
  }

  #turnOf([word, packed]: ConsumeReply, { id, cost, bounds, token, commit }: Question): Turn {
    const numbers = readNumbers(packed)
    const nowUs = numbers[0] as number
    const { rules } = this.#options
    const taken = commit && word === 'allowed'
    if (word === 'blocked') {
      const retryAfterMs = Math.ceil(((numbers[1] as number) - nowUs) / 1_000)
      // Of the rules nothing was asked.
      const figures = rules.map((rule, i) => ({
        ...figuresOf(rule, bounds[i] as Bounds, [0, 0, 0], nowUs, 0, false),
        ...{ allowed: false, remaining: 0, retryAfterMs, resetMs: retryAfterMs },
      }))
      return new Turn(figures, { allowed: false, source: 'redis', blocked: true, retryAfterMs })
    }
    const figures = rules.map((rule, i) => {
      const state = [numbers[3 * i + 1], numbers[3 * i + 2], numbers[3 * i + 3]] as unknown as State
      return figuresOf(rule, bounds[i] as Bounds, state, nowUs, cost, taken)
    })
    const permit = taken && cost > 0 ? this.#permits?.permit(id, token, cost) : undefined
    return new Turn(figures, { allowed: word === 'allowed', source: 'redis', permit })
  }

  /** A permit may come back at any time; every other rule makes room by time alone, or by who tells us. */
  #remember({ id, cost }: Question, rules: readonly RuleFigures[], sentMs: number, epoch: number): void {
    if (this.#refusals === undefined) return
    const refusing = rules.filter(({ allowed, algorithm }) => !allowed && algorithm !== 'concurrency')
    // A whole ms less: the figures are rounded up.
    const forMs = Math.max(0, ...refusing.map(({ retryAfterMs }) => retryAfterMs - 1))
    if (forMs > 0) this.#refusals.keep(id, cost, sentMs + forMs, rules, epoch)
  }

  #withoutRedis(error: unknown, { id, cost, bounds, token, commit }: Question): Turn {
    const { whenDown, rules } = this.#options
    const isFull = (error as { code?: unknown }).code === 'SERVER_FULL'
    if (whenDown === 'throw' || !(isFull || isOutage(error))) throw error
    this.#counts.withoutRedis++
    const nowUs = monotonicMs() * 1_000
    if (whenDown === 'local') {
      const { allowed, bounds: own, states } = this.#local.take(id, bounds, cost, token, nowUs, commit)
      const taken = commit && allowed
      const figures = rules.map((rule, i) => figuresOf(rule, own[i] as Bounds, states[i] as State, nowUs, cost, taken))
      const permit = taken && token !== '' ? this.#permits?.localPermit(this.#local, id, token) : undefined
      return new Turn(figures, { allowed, source: 'local', permit })
    }
    const allowed = whenDown === 'allow'
    const figures = rules.map((rule, i) => {
      const of = figuresOf(rule, bounds[i] as Bounds, [0, 0, 0], nowUs, 0, false)
      return allowed ? of : { ...of, allowed, remaining: 0 }
    })
    const retryAfterMs = allowed ? 0 : (this.#options.timeoutMs ?? this.#redis.timeoutMs)
    return new Turn(figures, { allowed, source: 'down', retryAfterMs })
  }

  /** The keys of an id; `wanted`: of which rules. */
  #keysOf(id: string, wanted?: readonly boolean[]): { readonly state: Key; readonly more: readonly Key[] } {
    const state = this.#keys.state(id)
    const own = this.#options.rules.filter((rule, i) => hasOwnKey(rule) && (wanted?.[i] ?? true))
    return { state, more: own.map(({ field }) => this.#keys.of(state, field)) }
  }

  #argsOf(bounds: readonly Bounds[]): readonly string[] {
    return this.#usual !== undefined && bounds === this.#usual.bounds ? this.#usual.rules : this.#ruleArgs(bounds)
  }

  #ruleArgs(bounds: readonly Bounds[], wanted?: readonly boolean[]): readonly string[] {
    const rules = this.#options.rules.map((rule, i) => ({ ...rule, bounds: bounds[i] as Bounds }))
    const asked = rules.filter((_, i) => wanted?.[i] ?? true)
    const numbers = asked.flatMap(({ perUs, bounds: { limit, most } }) => [limit, perUs, most].map(String))
    return [...numbers, ...asked.map(({ field }) => field)]
  }

  async #tell(operation: Operation, asking: Promise<Turn>): Promise<Turn> {
    const turn = await asking
    operation.outcome = turn.blocked ? 'blocked' : turn.allowed ? 'allowed' : 'refused'
    operation.source = turn.source
    return turn
  }

  #vet(): void {
    if (this.#vetted) return
    this.#vetted = true
    const rights = limitRights(this.#keys, this.#options.rules)
    this.#redis.vet('limit', 'state', rights, this.#keys.state(''), '').catch(() => {})
  }
}

/** The numbers of a reply, eight bytes each, the lowest first. */
function readNumbers(packed: Buffer): readonly number[] {
  const numbers: number[] = []
  for (let at = 0; at < packed.length; at += 8) numbers.push(packed.readDoubleLE(at))
  return numbers
}
