import { type HeadersVersion, type Limiter, rateLimitHeaders, type Turn } from '../../limit/index.ts'
import type { HeaderList } from '../headers.ts'
import type { Answered } from './options.ts'

/** What a request was charged, and may be given back. */
export interface Charge {
  readonly id: string
  readonly cost: number
  readonly limits: Readonly<Record<string, number>> | undefined
}

/** Several limits of one response stand in one list, each by the names of its rules. */
const LISTS = new Set(['RateLimit', 'RateLimit-Policy'])

/** A timer that is told to wait for longer does not wait at all. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/** A request that a limiter was asked about, from its turn to the end of its response. */
export class Passage {
  readonly turn: Turn
  readonly #limiter: Limiter
  readonly #charge: Charge
  readonly #version: HeadersVersion | false
  readonly #wantsRefund: ((response: Answered) => boolean) | undefined
  #renewal: NodeJS.Timeout | undefined

  constructor(
    limiter: Limiter,
    charge: Charge,
    turn: Turn,
    version: HeadersVersion | false,
    wantsRefund: ((response: Answered) => boolean) | undefined,
  ) {
    this.turn = turn
    this.#limiter = limiter
    this.#charge = charge
    this.#version = version
    this.#wantsRefund = wantsRefund
  }

  /** It holds permits, which somebody else may wait for: `release` is to be called when its response has ended, and `keep` until then. */
  get holdsPermits(): boolean {
    return this.turn.allowed && this.#permitsMs !== undefined
  }

  /** How long its permits last by themselves. */
  get #permitsMs(): number | undefined {
    const lives = this.turn.rules.filter(({ algorithm }) => algorithm === 'concurrency').map(({ perMs }) => perMs)
    return lives.length === 0 ? undefined : Math.min(...lives)
  }

  /** Keeps the permits of a response that takes longer than they last. */
  keep(): void {
    if (this.#permitsMs === undefined || this.#renewal !== undefined) return
    const renew = () => {
      this.turn.extend().then(
        (still) => still || clearInterval(this.#renewal),
        () => {},
      )
    }
    this.#renewal = setInterval(renew, Math.min(LONGEST_WAIT_MS, Math.max(1, this.#permitsMs / 3)))
    this.#renewal.unref()
  }

  /** `answered` is to be called. */
  get mayRefund(): boolean {
    return this.turn.allowed && this.#wantsRefund !== undefined
  }

  /** The headers of its response; `present`: one that this response has already. */
  headersOver(present: (name: string) => string | undefined): HeaderList {
    const { turn } = this
    const all = this.#version === false ? {} : rateLimitHeaders(turn, { version: this.#version })
    // Where nobody could be asked, nobody knows what is left.
    const known = turn.source === 'down' ? {} : all
    const retry = turn.allowed ? {} : { 'Retry-After': rateLimitHeaders(turn)['Retry-After'] as string }
    return Object.entries({ ...known, ...retry }).map(([name, value]) => {
      const before = LISTS.has(name) && this.#version === 'draft-11' ? present(name) : undefined
      return [name, before === undefined ? value : `${before}, ${value}`]
    })
  }

  /** The handler has answered. What cannot be given back counts until its time is over. */
  answered(response: Answered): void {
    if (!this.turn.allowed || this.#wantsRefund?.(response) !== true) return
    const { id, cost, limits } = this.#charge
    this.#limiter.refund(id, cost, limits === undefined ? {} : { limits }).catch(() => {})
  }

  /** The response has ended, however that was. A permit that cannot be given back ends by itself. */
  release(): void {
    clearInterval(this.#renewal)
    this.turn.release().catch(() => {})
  }
}
