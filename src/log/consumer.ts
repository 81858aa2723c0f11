import { monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import type { Settlement } from './deliveries.ts'
import { excuseScript, finishScript, turnScript } from './lua.generated.ts'
import type { ResolvedProcessOptions } from './options.ts'
import type { GroupPlace } from './place.ts'

/** An entry at whose side so many processes have died is a dead one. */
const MOST_DEATHS = 3
/** More of one consumer stay blamed where others have been given them by then. */
const MOST_EXCUSED = 1_000

export interface Turned {
  readonly nowMs: number
  /** When something is due, by the server's clock; -1 if nothing is. */
  readonly nextMs: number
  readonly given: readonly unknown[]
}

/**
 * One incarnation of a consumer: what it holds, what it has to say, and until when its lease surely stands, by this process' own clock. Once
 * lost it is never used again: what its handlers answer later is heard by nobody.
 */
export class Consumer {
  readonly #place: GroupPlace
  readonly #options: ResolvedProcessOptions
  readonly #id = randomId()
  readonly #abort = new AbortController()
  readonly #onLost: (why: string) => void
  readonly #held = new Set<string>()
  #settled: Settlement[] = []
  #joined = false
  /** The answer to a turn was lost: it may have brought entries that nobody here knows of. */
  #doubt = false
  #timer: NodeJS.Timeout | undefined
  #over = false
  #renewedMs = monotonicMs()

  constructor(place: GroupPlace, options: ResolvedProcessOptions, onLost: (why: string) => void) {
    this.#place = place
    this.#options = options
    this.#onLost = onLost
  }

  /** When the last turn was sent that renewed its lease. */
  get renewedMs(): number {
    return this.#renewedMs
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** True when a turn that tells of `most` entries tells of all that it holds. */
  isIdle(most: number): boolean {
    return this.#held.size <= Math.min(most, this.#settled.length)
  }

  /** True when it has more to say than went into the last turn. */
  get hasMore(): boolean {
    return this.#settled.length > 0
  }

  take(places: readonly string[]): void {
    for (const place of places) this.#held.add(place)
  }

  settle(settlement: Settlement): void {
    if (!this.#over) this.#settled.push(settlement)
  }

  /** What has not been told yet. */
  open(most: number): readonly Settlement[] {
    return this.#settled.slice(0, most)
  }

  async turn(want: number, most: number): Promise<Turned | 'lost' | 'unknown' | 'removed'> {
    const { redis, keys, group, own } = this.#place
    const { leaseMs, order } = this.#options
    const idle = this.isIdle(most)
    const sent = this.#settled.splice(0, most)
    const askedMs = monotonicMs()
    try {
      const said = this.#doubt ? [...sent, ...this.#allHeld(sent)] : sent
      const [word, ...rest] = await turnScript.run(
        redis,
        { entries: keys.entries, state: keys.state, ...own, gone: keys.gone },
        {
          ...{ group, consumer: this.#id, leaseMs, joined: flag(this.#joined), want },
          ...{ idle: flag(idle), ordered: ORDER_WORDS[order], crashes: MOST_DEATHS, keep: this.#place.keepDead },
          ...{ doubt: flag(this.#doubt), settled: said.flat() },
        },
        // Sent twice, it might give twice. What is said of entries is said again by the next turn.
        { operation: 'log.turn', repeat: false },
      )
      if (word !== 'turned') return word
      this.#joined = true
      this.#doubt = false
      for (const [, place] of sent) this.#held.delete(place)
      this.#renewedMs = askedMs
      // A tenth early, since our timers may be late.
      this.#watch(askedMs + 0.9 * leaseMs)
      const [nowMs, nextMs, ...given] = rest as [number, number, ...unknown[]]
      return { nowMs, nextMs, given }
    } catch (error) {
      this.#settled.unshift(...sent)
      this.#doubt = true
      throw error
    }
  }

  #allHeld(sent: readonly Settlement[]): readonly Settlement[] {
    const told = new Set(sent.map(([, place]) => place))
    return [...this.#held].filter((place) => !told.has(place)).map((place) => ['held', place, '0', '', ''])
  }

  /** The lease stands at least until `untilMs` of our clock. */
  #watch(untilMs: number): void {
    clearTimeout(this.#timer)
    if (this.#over) return
    this.#timer = setTimeout(
      () => this.lose('it was not renewed in time'),
      Math.max(0, untilMs - monotonicMs()),
    ).unref()
  }

  lose(why: string): void {
    if (!this.#over) this.#onLost(why)
  }

  abort(reason: Error): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#abort.abort(reason)
  }

  /** Its lease was lost, and not by its process: nobody is blamed for what it had. */
  async excuse(): Promise<void> {
    const { redis, keys, group, own } = this.#place
    const args = { group, consumer: this.#id, channel: keys.channel, held: [...this.#held].slice(0, MOST_EXCUSED) }
    const options = { operation: 'log.excuse', repeat: true }
    await excuseScript.run(redis, { entries: keys.entries, state: keys.state, ...own }, args, options)
  }

  /** Its last word: settles, and hands back all else that it has. */
  async finish(settled: readonly Settlement[]): Promise<void> {
    const { redis, keys, group, own } = this.#place
    const args = {
      group,
      consumer: this.#id,
      channel: keys.channel,
      keep: this.#place.keepDead,
      settled: settled.flat(),
    }
    await finishScript.run(redis, { entries: keys.entries, ...own }, args, { operation: 'log.finish', repeat: true })
  }
}

const ORDER_WORDS = { none: '0', all: '1', key: 'key' } as const
const flag = (is: boolean): '0' | '1' => (is ? '1' : '0')
