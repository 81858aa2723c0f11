import { monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import type { Admission, Circuit, Ticket } from './circuit.ts'
import { breakerKey } from './keys.ts'
import { reportScript, setScript, settleScript, type TryReply, tryScript } from './lua.generated.ts'
import type { ResolvedBreakerOptions } from './options.ts'
import { breakerRights } from './rights.ts'
import type { Verdict } from './rules.ts'

/** No process admits by what it knew longer ago than this: how long the fleet goes on calling what has been found to fail. */
const FRESH_MS = 250
/** So long Redis is not asked again once it gave no answer. */
const AWAY_MS = 1_000
const KEEP_MS = 3_600_000

/** A ticket, and what the fleet knows it by. */
export interface FleetTicket extends Ticket {
  /** The era of the fleet's circuit; undefined when the process decided alone. */
  readonly fleetEra: number | undefined
  /** Of the fleet's one trial. */
  readonly token: string | undefined
}

export type FleetAdmission =
  | { readonly admitted: true; readonly ticket: FleetTicket }
  | { readonly admitted: false; readonly retryAfterMs: number }

/**
 * The circuit of the whole fleet, decided on the server by its clock; the process's own circuit follows it. While Redis cannot be asked that one
 * goes on by itself, from where it stood.
 *
 * costs  while calls succeed, one round trip in 250 ms of traffic; one for each that fails; two for the trial
 */
export class FleetCircuit {
  readonly #redis: Redis
  readonly #own: Circuit
  readonly #options: ResolvedBreakerOptions
  readonly #circuit: Key
  readonly #keepMs: number
  readonly #calling: ScriptOptions
  readonly #repeating: ScriptOptions
  #era = 0
  #lookedMs = Number.NEGATIVE_INFINITY
  #awayUntilMs = Number.NEGATIVE_INFINITY
  #looking: Promise<boolean> | undefined
  /** Calls that did not fail, and are not yet told. */
  #untold = { era: 0, ok: 0, slow: 0 }
  #vetted = false

  constructor(redis: Redis, name: string, own: Circuit, options: ResolvedBreakerOptions) {
    this.#redis = redis
    this.#own = own
    this.#options = options
    this.#circuit = breakerKey(redis.keyspace, name)
    this.#keepMs = options.cooldownMs + options.windowMs + KEEP_MS
    const timeoutMs = Math.min(redis.timeoutMs, options.sharedTimeoutMs)
    this.#calling = { operation: 'breaker.report', repeat: false, timeoutMs }
    this.#repeating = { operation: 'breaker.try', repeat: true, timeoutMs }
  }

  async admit(): Promise<FleetAdmission> {
    if (!(await this.#isKnown()) || this.#own.state === 'closed') return this.#alone(this.#own.admit())
    if (this.#own.retryAfterMs > 0) return { admitted: false, retryAfterMs: this.#own.retryAfterMs }
    const token = randomId(12)
    const args = { token, tryMs: this.#options.cooldownMs, keepMs: this.#keepMs }
    const reply = await this.#ask(() => tryScript.run(this.#redis, this.#keys, args, this.#repeating))
    if (reply === undefined) return this.#alone(this.#own.admit())
    this.#follow(reply)
    if (reply[0] === 'trial') {
      const ticket = { ...this.#own.beginTrial(), fleetEra: reply[1], token }
      return { admitted: true, ticket }
    }
    return this.#alone(this.#own.admit())
  }

  #alone(admission: Admission): FleetAdmission {
    if (!admission.admitted) return admission
    const fleetEra = this.#isAway || admission.ticket.trial ? undefined : this.#era
    return { admitted: true, ticket: { ...admission.ticket, fleetEra, token: undefined } }
  }

  /** Resolves when the fleet has decided by what is told; at once for a success, which is told with the next look. */
  async end(ticket: FleetTicket, verdict: Verdict, slow: boolean): Promise<void> {
    const { fleetEra, token } = ticket
    if (token !== undefined) return this.#settle(ticket, token, verdict, slow)
    if (fleetEra === undefined || this.#isAway) return this.#own.end(ticket, verdict, slow)
    this.#own.end(ticket, verdict, slow, false)
    if (verdict === 'left') return
    if (fleetEra !== this.#era) return
    if (verdict === 'ok') {
      if (this.#untold.era !== fleetEra) this.#untold = { era: fleetEra, ok: 0, slow: 0 }
      this.#untold.ok++
      if (slow) this.#untold.slow++
      // Slow ones may be enough by themselves.
      if (!slow || this.#options.slowRate === 0) return
      await this.#report(fleetEra, 0, 0)
    } else await this.#report(fleetEra, 1, slow ? 1 : 0)
  }

  async #settle(ticket: Ticket, token: string, verdict: Verdict, slow: boolean): Promise<void> {
    const word = verdict === 'ok' && slow && this.#options.slowRate > 0 ? 'failed' : verdict
    this.#own.end(ticket, verdict, slow)
    const args = { token, verdict: word, cooldownMs: this.#options.cooldownMs, keepMs: this.#keepMs }
    const reply = await this.#ask(() => settleScript.run(this.#redis, this.#keys, args, this.#repeating))
    if (reply !== undefined) this.#follow(reply)
  }

  /** As the fleet has it now; as this process has it, where Redis cannot be asked. */
  async look(): Promise<void> {
    this.#lookedMs = Number.NEGATIVE_INFINITY
    await this.#isKnown()
  }

  /** Opens for so long, or closes by 0. False when Redis could not be told. */
  async set(openMs: number): Promise<boolean> {
    const args = { openMs, keepMs: this.#keepMs }
    const reply = await this.#ask(() => setScript.run(this.#redis, this.#keys, args, this.#repeating))
    if (reply !== undefined) this.#follow(reply)
    return reply !== undefined
  }

  get #keys(): { readonly circuit: Key } {
    return { circuit: this.#circuit }
  }

  get #isAway(): boolean {
    return monotonicMs() < this.#awayUntilMs
  }

  /** True when it is known how the fleet stands, after a look where need be: one for all who ask meanwhile. */
  async #isKnown(): Promise<boolean> {
    if (this.#isAway) return false
    if (monotonicMs() - this.#lookedMs <= FRESH_MS) return true
    this.#looking ??= this.#report(this.#era, 0, 0).finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #report(era: number, failed: number, slow: number): Promise<boolean> {
    const told = this.#untold.era === era ? this.#untold : { era, ok: 0, slow: 0 }
    this.#untold = { era: this.#era, ok: 0, slow: 0 }
    const { failures, failureRate, slowRate, minCalls, windowMs, cooldownMs } = this.#options
    const args = {
      ...{ era, ok: told.ok, failed, slow: told.slow + slow, failures, minCalls, windowMs, cooldownMs },
      ...{ failureRate: String(failureRate), slowRate: String(slowRate), keepMs: this.#keepMs },
    }
    const reply = await this.#ask(() => reportScript.run(this.#redis, this.#keys, args, this.#calling))
    if (reply !== undefined) this.#follow(reply)
    return reply !== undefined
  }

  /** What is asked; undefined, and the process decides alone for a while, when Redis gives no answer: it must not fail a call that could be made. */
  async #ask<R>(send: () => Promise<R>): Promise<R | undefined> {
    this.#vet()
    try {
      return await send()
    } catch {
      this.#awayUntilMs = monotonicMs() + AWAY_MS
      this.#own.judge()
      return undefined
    }
  }

  #follow(reply: TryReply): void {
    const [word, era] = reply
    this.#era = era
    this.#lookedMs = monotonicMs()
    if (word === 'closed') this.#own.agreeClosed()
    else if (word === 'open') this.#own.agreeOpen(reply[2])
    else if (word === 'trying') this.#own.agreeHalfOpen(reply[2])
    else this.#own.agreeHalfOpen(0)
  }

  #vet(): void {
    if (this.#vetted) return
    this.#vetted = true
    this.#redis.vet('breaker', 'state', breakerRights(this.#redis.keyspace), this.#circuit, '').catch(() => {})
  }
}
