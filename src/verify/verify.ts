import { monotonicMs } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { type ConnectOptions, Holdfast } from '../holdfast.ts'
import { countAllKeys } from '../redis/sweep.ts'
import { type Removal, Trial } from '../trial/trial.ts'
import { CHECKS } from './checks.ts'
import { type Cross, crossOf, type Outcome } from './outcome.ts'
import { atMost, type Company, OVERDUE, type RunOptions, runCheck, whyNothingIsWritten } from './runner.ts'
import type { Check } from './stage.ts'

/** A point between two steps of a check. */
export interface Moment {
  readonly namespace: string
  /** The check's id. */
  readonly check: string
  readonly step: string
}

export interface VerifyOptions {
  /** Where the servers are, as `connect` takes it. */
  readonly connect: Omit<ConnectOptions, 'namespace' | 'lazy'>
  /** Where to look: one that nobody uses, and that is empty. Default `verify-` and something that no other has. */
  readonly namespace?: string
  /** Which checks: their ids, or the first word of several. Default all. */
  readonly only?: readonly string[]
  /** How long one check may take, beside the time for looking through all keys of the servers. Default `'20s'`. */
  readonly deadline?: Duration
  /** Addresses of servers that know nothing of each other, for the check `quorum`. Default those of shards, else none, and it is skipped. */
  readonly servers?: readonly string[]
  /** Told of each check when it has ended. */
  readonly onOutcome?: (outcome: Outcome) => void
  /** Ends it: what was made is removed, and `signal.reason` is thrown. */
  readonly signal?: AbortSignal
  /** For tests of the checks: called between their steps, to spoil something. */
  readonly between?: (moment: Moment) => Promise<unknown> | unknown
}

export interface VerifyResult {
  readonly namespace: string
  /** `single`, `sentinel`, `cluster` or `shards`. */
  readonly topology: Trial['topology']
  readonly product: string
  /** Undefined where the user may not ask. */
  readonly version: string | undefined
  readonly outcomes: readonly Outcome[]
  readonly ticks: number
  readonly crosses: number
  readonly skipped: number
  readonly tookMs: number
  /** Keys that were there at the end, and were removed. */
  readonly removed: number
  /** Why keys may be left in the namespace; undefined where none are. */
  readonly left: Cross | undefined
}

/** SCAN takes 1.6 ms for 1,000 keys on a quiet server, and some checks look twice. */
const MS_A_KEY = 0.02
/** After these the server may be away, and the checks that are left would each take their time to find out. */
const SUSPICIOUS: readonly string[] = ['TIMEOUT', 'CONNECTION_LOST', OVERDUE]
const CLOSE_MS = 2_000

/** The checks that these words mean. */
function chosenChecks(only: readonly string[] | undefined): readonly Check[] {
  if (only === undefined) return CHECKS
  const isMeant = (word: string, { id }: Check) => id === word || id.startsWith(`${word}-`)
  for (const word of only)
    if (!CHECKS.some((check) => isMeant(word, check)))
      throw new ConfigError('only', `some of ${CHECKS.map(({ id }) => id).join(', ')}`, word)
  return CHECKS.filter((check) => only.some((word) => isMeant(word, check)))
}

/**
 * Looks at every promise that there is on these servers, in a namespace of its own, and removes what it made, however it ends. Nothing
 * of the servers is configured, flushed or killed.
 *
 * throws  what `connect` throws when the servers cannot be had; `signal.reason`; ConfigError
 */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const checks = chosenChecks(options.only)
  const deadlineMs = toMs(options.deadline ?? '20s', 'deadline')
  const { signal, between, onOutcome } = options
  const startMs = monotonicMs()
  const trial = await Trial.begin({ purpose: 'verify', ...options })
  const { namespace, servers } = trial
  const stand = await Stand.open(() => trial.open())
  const outcomes: Outcome[] = []
  let removal: Removal = { removed: 0, left: undefined }
  try {
    const allowanceMs = MS_A_KEY * ((await countAllKeys(Holdfast.redisOf(stand.hf), 'verify')) ?? 0)
    const run: RunOptions = {
      deadlineMs: Math.round(deadlineMs + allowanceMs),
      ...{ servers, signal },
      between: between === undefined ? undefined : (check, step) => between({ namespace, check, step }),
    }
    let away: Cross | undefined
    for (const check of checks) {
      signal?.throwIfAborted()
      const outcome = away === undefined ? await runCheck(check, stand, run) : notLookedAt(check, away)
      outcomes.push(outcome)
      onOutcome?.(outcome)
      if (outcome.status === 'cross' && away === undefined && SUSPICIOUS.includes(outcome.cross.code))
        away = await stand.recover(outcome.cross.code === OVERDUE)
    }
  } finally {
    await stand.close()
    removal = await trial.end()
  }
  const count = (status: Outcome['status']) => outcomes.filter((one) => one.status === status).length
  const { product, version } = stand.facts
  return {
    ...{ namespace, topology: trial.topology, product, version, outcomes },
    ...{ ticks: count('tick'), crosses: count('cross'), skipped: count('skipped') },
    ...{ tookMs: monotonicMs() - startMs, removed: removal.removed },
    left: removal.left === undefined ? undefined : crossOf(removal.left),
  }
}

function notLookedAt({ id, title, promise }: Check, { code, message }: Cross): Outcome {
  return { id, title, promise, tookMs: 0, status: 'cross', cross: { code, message: `not looked at: ${message}` } }
}

/** The two processes of all checks. One that a check has left in the middle of something is replaced. */
class Stand implements Company {
  hf: Holdfast
  rival: Holdfast
  readonly #open: () => Promise<Holdfast>
  readonly #closing: Promise<void>[] = []

  private constructor(open: () => Promise<Holdfast>, hf: Holdfast, rival: Holdfast) {
    this.#open = open
    this.hf = hf
    this.rival = rival
  }

  static async open(open: () => Promise<Holdfast>): Promise<Stand> {
    const hf = await open()
    try {
      return new Stand(open, hf, await open())
    } catch (error) {
      await hf.close()
      throw error
    }
  }

  open(): Promise<Holdfast> {
    return this.#open()
  }

  get facts() {
    return this.hf.server
  }

  /** Why the servers cannot be asked any more, or take nothing; undefined where they go on. */
  async recover(isStuck: boolean): Promise<Cross | undefined> {
    try {
      const why = await whyNothingIsWritten(this.hf)
      if (why !== undefined && why.code !== 'SERVER_FULL') return why
      if (!isStuck) return undefined
      const [hf, rival] = [await this.#open(), await this.#open()]
      this.#leave()
      this.hf = hf
      this.rival = rival
      return undefined
    } catch (error) {
      return crossOf(error)
    }
  }

  #leave(): void {
    this.#closing.push(...[this.hf, this.rival].map((one) => atMost(CLOSE_MS, () => one.close())))
  }

  async close(): Promise<void> {
    this.#leave()
    await Promise.all(this.#closing)
  }
}
