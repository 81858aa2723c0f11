import { AsyncLocalStorage } from 'node:async_hooks'
import { monotonicMs } from '../base/clock.ts'
import { Party } from './party.ts'

/** Most answers that one request keeps; what it reads beyond is asked for each time. */
const MOST_ANSWERS = 10_000
/** Most changed ids remembered one by one; beyond it, everything counts as changed once instead. */
const MOST_CHANGED = 1_000

interface Answer {
  /** Of one id, or a Map of many. */
  readonly work: Promise<unknown>
  readonly many: boolean
  /** It would have loaded what was missing. */
  readonly loads: boolean
  /** How many changes its cache had seen when it was asked for. */
  readonly changes: number
  readonly atMs: number
  readonly party: Party
}

/** One request: what its reads were answered, by cache and id. */
export interface Request {
  readonly answers: Map<RequestLayer, Map<string, Answer>>
  readonly maxAgeMs: number
  left: number
  over: boolean
}

/** The requests of one instance. Until the first begins there is nothing: such a store slows every promise of the process. */
export class Requests {
  #store: AsyncLocalStorage<Request | undefined> | undefined

  /** Runs `work` as one request, or as part of the one that it is called in. */
  async run<R>(work: () => Promise<R> | R, maxAgeMs: number): Promise<R> {
    this.#store ??= new AsyncLocalStorage()
    if (this.current !== undefined) return work()
    const request: Request = { answers: new Map(), maxAgeMs, left: MOST_ANSWERS, over: false }
    try {
      return await this.#store.run(request, work)
    } finally {
      // What it left behind, such as a timer, is no part of it any more.
      request.over = true
      request.answers.clear()
    }
  }

  get current(): Request | undefined {
    const request = this.#store?.getStore()
    return request === undefined || request.over ? undefined : request
  }

  /** True once there was a request. */
  get used(): boolean {
    return this.#store !== undefined
  }

  /**
   * Runs a loader outside of the request that happens to begin it: what it reads is stored for all, so it must be as new as Redis has it,
   * not as the request saw it first.
   */
  outside<R>(work: () => R): R {
    return this.#store?.getStore() === undefined ? work() : this.#store.run(undefined, work)
  }
}

/** What one cache answered within requests: each id once, until it is changed by this process or the request ends. */
export class RequestLayer {
  /** Reads that were answered by what the request had read before. */
  hits = 0
  readonly #requests: Requests
  #changes = 0
  #allChanged = 0
  readonly #changed = new Map<string, number>()

  constructor(requests: Requests) {
    this.#requests = requests
  }

  /** The request in which this is called, if it is. */
  get current(): Request | undefined {
    return this.#requests.current
  }

  /** An id was written or removed by this process: what any request read before is void. */
  forget(id: string): void {
    if (!this.#requests.used) return
    if (this.#changed.size >= MOST_CHANGED) this.forgetAll()
    this.#changed.set(id, ++this.#changes)
  }

  forgetAll(): void {
    if (!this.#requests.used) return
    this.#allChanged = ++this.#changes
    this.#changed.clear()
  }

  /** The answer for `id`, from what the request knows, if there is one, or by `read`. `loads`: `read` loads what is missing. */
  one(
    request: Request | undefined,
    id: string,
    loads: boolean,
    signal: AbortSignal | undefined,
    read: (party?: Party) => Promise<unknown>,
    say?: (how: string) => void,
  ): Promise<unknown> {
    return request === undefined ? alone(signal, read) : this.#one(request, id, loads, signal, read, say)
  }

  async #one(
    request: Request,
    id: string,
    loads: boolean,
    signal: AbortSignal | undefined,
    read: (party?: Party) => Promise<unknown>,
    say?: (how: string) => void,
  ): Promise<unknown> {
    const known = this.#known(request, id)
    if (known !== undefined) {
      const value = await this.#take(known, id, signal)
      if (value !== undefined || !loads || known.loads) {
        this.hits++
        say?.('request')
        return value
      }
    }
    const party = new Party()
    return party.wait(() => {
      const work = read(party)
      this.#keep(request, [id], work, loads, party, false)
      return work
    }, signal)
  }

  /** The answers for many ids; `read` is asked for those that the request does not know. */
  many(
    request: Request | undefined,
    ids: readonly string[],
    loads: boolean,
    signal: AbortSignal | undefined,
    read: (missing: readonly string[], party?: Party) => Promise<Map<string, unknown>>,
  ): Promise<Map<string, unknown>> {
    return request === undefined
      ? alone(signal, (party) => read(ids, party))
      : this.#many(request, ids, loads, signal, read)
  }

  async #many(
    request: Request,
    ids: readonly string[],
    loads: boolean,
    signal: AbortSignal | undefined,
    read: (missing: readonly string[], party?: Party) => Promise<Map<string, unknown>>,
  ): Promise<Map<string, unknown>> {
    const answers = new Map<string, unknown>(ids.map((id) => [id, undefined]))
    const missing: string[] = []
    const taken = ids.map(async (id) => {
      const known = this.#known(request, id)
      const value = known === undefined ? undefined : await this.#take(known, id, signal)
      if (known === undefined || (value === undefined && loads && !known.loads)) missing.push(id)
      else {
        this.hits++
        answers.set(id, value)
      }
    })
    // What is not known is asked for at once if nothing else is waited for.
    if (missing.length < ids.length) await Promise.all(taken)
    if (missing.length === 0) return answers
    const party = new Party()
    const found = await party.wait(() => {
      const work = read(missing, party)
      this.#keep(request, missing, work, loads, party, true)
      return work
    }, signal)
    for (const [id, value] of found) answers.set(id, value)
    return answers
  }

  async #take({ work, many, party }: Answer, id: string, signal: AbortSignal | undefined): Promise<unknown> {
    const value = await party.wait(() => work, signal)
    return many ? (value as Map<string, unknown>).get(id) : value
  }

  #known(request: Request, id: string): Answer | undefined {
    const answer = request.answers.get(this)?.get(id)
    if (answer === undefined || answer.party.gone) return undefined
    if (answer.changes < this.#allChanged || answer.changes < (this.#changed.get(id) ?? 0)) return undefined
    return monotonicMs() - answer.atMs > request.maxAgeMs ? undefined : answer
  }

  #keep(
    request: Request,
    ids: readonly string[],
    work: Promise<unknown>,
    loads: boolean,
    party: Party,
    many: boolean,
  ): void {
    if (request.over || request.left < ids.length) return
    const own = request.answers.get(this) ?? new Map<string, Answer>()
    request.answers.set(this, own)
    const answer = { work, many, loads, changes: this.#changes, atMs: monotonicMs(), party }
    const drop = (id: string) => {
      if (own.get(id) === answer) own.delete(id)
      request.left++
    }
    request.left -= ids.length
    for (const id of ids) own.set(id, answer)
    work.then(
      (value) => {
        // What a loader did not find is not cached here either.
        for (const id of ids)
          if (loads && (many ? (value as Map<string, unknown>).get(id) : value) === undefined) drop(id)
      },
      () => ids.forEach(drop),
    )
  }
}

/** A read outside of any request, by a caller who may leave or not. */
function alone<T>(signal: AbortSignal | undefined, read: (party?: Party) => Promise<T>): Promise<T> {
  if (signal === undefined) return read()
  const party = new Party()
  return party.wait(() => read(party), signal)
}
