import { randomId } from '../../base/id.ts'
import {
  type HeaderList,
  headerOf,
  lastingHeaders,
  membersOf,
  withHeader,
  without,
  withoutInherited,
} from '../headers.ts'
import { CONDITIONS, etagOf, freshenHeaders } from './conditional.ts'
import { parseDirectives } from './directives.ts'
import { ClientGone, type Exchange, type HeaderChanges, type Produced, type Reply } from './exchange.ts'
import { lifetimeOf, mayServeOnError, retentionMs } from './freshness.ts'
import { type Place, variantPlace } from './keys.ts'
import { checkTags, type ResolvedOptions } from './options.ts'
import { servePassing, serveProduced, serveStored, withDate, withVary } from './serve.ts'
import { type Handling, withStatus } from './status.ts'
import { type Candidate, type Credentials, mayBeGiven, namedFields, openness, whyNotStored } from './storable.ts'
import type { LoadSays, ResponseStore } from './store.ts'
import { packBody, type StoredResponse, type VaryRecord } from './stored.ts'

export interface FillRoom {
  readonly store: ResponseStore
  readonly options: ResolvedOptions
  /** Request headers and cookies that every response depends on. */
  readonly vary: readonly string[]
}

/** What is asked, and by whom. */
export interface Ask {
  readonly exchange: Exchange
  readonly asked: ReadonlyMap<string, string>
  readonly credentials: Credentials
  readonly resource: string
  /** The answer of the option `key`. */
  readonly whose: string
  readonly startMs: number
}

/** What those who waited for a run that failed may be given as well: its answer, or what it threw. */
export type SharedFailure = { readonly select: string } & (
  | { readonly response: StoredResponse }
  | { readonly response?: undefined; readonly error: unknown }
)

/** The handler failed, and so nothing is stored; what was may still serve. */
export class HandlerFailed extends Error {
  readonly shared: SharedFailure | undefined

  constructor(what: string, shared: SharedFailure | undefined) {
    super(what)
    this.shared = shared
  }
}

const FAILURES = new Set([500, 502, 503, 504])

export const isFailure = (status: number): boolean => FAILURES.has(status)

/** Of a server or a client that has enough: says nothing about what the resource is, nor about the next answer. */
const isPassing = (status: number): boolean => status >= 500 || status === 429 || status === 408

/**
 * One run of the handler for the cache, under the lease of what it may fill. Its client is answered as soon as that can be; those who
 * wait for the same are given what may be given to all, or nothing.
 */
export class Fill {
  /** True once the handler runs for this request, and not another's for it. */
  led = false
  /** Why it was not stored; undefined if it was, or while it runs. */
  refusal: string | undefined
  readonly answer: Promise<Reply>
  /** True if the next one would not be stored either. */
  isLasting = false
  readonly #room: FillRoom
  readonly #ask: Ask
  readonly #place: Place
  readonly #old: StoredResponse | undefined
  readonly #why: Handling
  readonly #run: Exchange['run']
  readonly #longestMs: number
  #over = false
  #resolve: (reply: Reply) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  /** `old`: what is stored there and may not be served as it is. `why`: the reason to ask the handler. `longestMs`: for it to begin to answer. */
  constructor(
    room: FillRoom,
    ask: Ask,
    place: Place,
    old: StoredResponse | undefined,
    why: Handling,
    longestMs: number,
    run = ask.exchange.run,
  ) {
    this.#room = room
    this.#ask = ask
    this.#place = place
    this.#old = old
    this.#why = why
    this.#run = run
    this.#longestMs = longestMs
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.answer.catch(() => {})
  }

  /** The request is answered by what was found. */
  close(): void {
    this.#over = true
  }

  /** The loader of the cache. */
  async load(context: LoadSays): Promise<StoredResponse | VaryRecord | undefined> {
    // A cache that refreshes by itself what it has answered: this request's handler has nobody to answer any more.
    if (this.#over) throw new HandlerFailed('the request was answered', undefined)
    this.led = true
    const askedMs = Date.now()
    let produced: Produced
    try {
      produced = await this.#begun(this.#run(this.#changes()))
    } catch (error) {
      if (error instanceof HandlerFailed) throw error
      this.#fail(error, undefined)
      throw new HandlerFailed('the handler threw', this.#sharedError(error))
    }
    try {
      return await this.#take(produced, askedMs, context)
    } catch (error) {
      this.#reject(error)
      throw error
    }
  }

  /** What the handler answers, if it begins in time; else only its client waits on. */
  #begun(running: Promise<Produced>): Promise<Produced> {
    return new Promise((resolve, reject) => {
      const tooLong = () => {
        running.then(
          (produced) => {
            const headers = this.#status(produced.headers, { fwdStatus: produced.status, detail: 'too-slow' })
            this.#resolve(servePassing(this.#ask.exchange, produced, headers))
          },
          (error) => this.#reject(error),
        )
        reject(new HandlerFailed(`the handler did not begin to answer within ${this.#longestMs} ms`, undefined))
      }
      const timer = setTimeout(tooLong, this.#longestMs)
      timer.unref()
      running.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  #sharedError(error: unknown): SharedFailure | undefined {
    const isForAll = !(error instanceof ClientGone) && mayBeGiven('', this.#ask.credentials)
    return isForAll ? { select: this.#place.select, error } : undefined
  }

  /** An answer that tells of a failure and of nobody in particular: those who wait for it would have had the same. */
  async #sharedAnswer(candidate: Candidate, why: string, produced: Produced, atMs: number) {
    const known = this.#place.record?.vary ?? []
    const isForAll =
      why === `status-${candidate.status}` &&
      membersOf(headerOf(candidate.headers, 'vary')).every((name) => known.includes(name))
    const body = isForAll ? await produced.whole() : undefined
    if (body === undefined || !isWhole(candidate.headers, body)) return undefined
    return { select: this.#place.select, response: this.#made(candidate, body, atMs, [], produced.before) }
  }

  /** The handler is asked for the whole, or whether what is stored still holds: never what this one client has. */
  #changes(): HeaderChanges {
    const changes: Record<string, string | undefined> = {}
    const [etag, modified] = CONDITIONS
    const asks = this.#old?.asks === true ? this.#old.headers : []
    changes[etag] = headerOf(asks, 'etag')
    changes[modified] = headerOf(asks, 'last-modified')
    return changes
  }

  #refuse(why: string, isLasting: boolean): void {
    this.refusal = why
    this.isLasting = isLasting
  }

  /** The client gets what is stored, if that may be; else the failure. */
  #fail(error: unknown, produced: Produced | undefined): boolean {
    const old = this.#old
    if (old === undefined || !mayServeOnError(old, this.#ask.asked, Date.now())) {
      if (produced === undefined) this.#reject(error)
      return false
    }
    const fwdStatus = produced === undefined ? {} : { fwdStatus: produced.status }
    const handling = { fwd: 'stale', ...fwdStatus, detail: 'stale-if-error' } as const
    this.#resolve(serveStored(this.#ask.exchange, this.#room.options, old, handling, produced))
    return true
  }

  async #take(produced: Produced, askedMs: number, context: LoadSays) {
    const { exchange, credentials } = this.#ask
    const atMs = Date.now()
    if (isFailure(produced.status) && this.#fail(undefined, produced))
      throw new HandlerFailed(`the handler answered ${produced.status}`, undefined)
    const old = produced.status === 304 ? this.#old : undefined
    const status = old?.status ?? produced.status
    const told =
      old === undefined
        ? produced.headers
        : freshenHeaders(
            withHeader(old.headers, 'date', undefined),
            withoutInherited(lastingHeaders(produced.headers), produced.before),
          )
    const named = this.#withDependencies(told)
    const headers = withDate(named, atMs)
    const directives = parseDirectives(headerOf(headers, 'cache-control'))
    const lifetime = lifetimeOf(headers, directives, this.#room.options, askedMs, atMs)
    const candidate: Candidate = { status, headers, directives, lifetime, open: openness(directives) }
    const why = whyNotStored(candidate, credentials)
    if (why !== undefined) {
      this.#refuse(why, !isPassing(status))
      this.#answerUnstored(produced, old, named, why)
      if (isFailure(status))
        throw new HandlerFailed(
          `the handler answered ${status}`,
          await this.#sharedAnswer(candidate, why, produced, atMs),
        )
      // What is no longer to be shared replaces what was; what is for one alone, by what he sent, says nothing of it.
      const isOwn = why === 'authorization' || why === 'cookie' || status === 401 || status === 403
      if (this.#old !== undefined && !isPassing(status) && !isOwn)
        await this.#room.store.delete(this.#place.id).catch(() => {})
      return undefined
    }
    const tags = this.#tagsOf(status, headers)
    if (old !== undefined) return this.#keep(this.#freshened(old, candidate, atMs, tags), context, produced)
    const soon = await produced.atOnce()
    const isCut = soon !== undefined && !isWhole(headers, soon)
    // Nobody knows yet whether what streams can be stored.
    if (soon === undefined || isCut)
      this.#resolve(
        servePassing(exchange, produced, this.#status(named, { fwdStatus: status, detail: isCut ? 'cut' : 'streams' })),
      )
    const body = soon ?? (await produced.whole())
    if (body === undefined || !isWhole(headers, body)) {
      this.#refuse(body === undefined ? 'too-large' : 'cut', body === undefined)
      return undefined
    }
    return this.#keep(this.#made(candidate, body, atMs, tags, produced.before), context, produced, soon && named)
  }

  /** Throws what the option throws, and what is wrong with its answer: nobody would ever be told that nothing is stored. */
  #tagsOf(status: number, headers: HeaderList): readonly string[] {
    const { tags } = this.#room.options
    if (tags === undefined) return []
    const given = new Headers(headers.map(([name, value]) => [name, value] as [string, string]))
    return checkTags(tags(this.#ask.exchange.native, { status, headers: given }) ?? [])
  }

  #status(headers: HeaderList, handling: Handling): HeaderList {
    return withStatus(headers, this.#room.options.name, { ...this.#why, ...handling })
  }

  #answerUnstored(produced: Produced, old: StoredResponse | undefined, headers: HeaderList, detail: string): void {
    const { exchange } = this.#ask
    if (old === undefined)
      return this.#resolve(
        servePassing(exchange, produced, this.#status(headers, { fwdStatus: produced.status, detail })),
      )
    const handling = { ...this.#why, fwdStatus: 304, detail }
    this.#resolve(serveStored(exchange, this.#room.options, { ...old, headers }, handling, produced))
  }

  /** The headers that all responses here differ by; and one that is encoded is not for those who cannot decode it. */
  #withDependencies(headers: HeaderList): HeaderList {
    const encoded = membersOf(headerOf(headers, 'content-encoding')).some((coding) => coding !== 'identity')
    return withVary(headers, encoded ? [...this.#room.vary, 'accept-encoding'] : this.#room.vary)
  }

  #made(
    { status, headers, directives, lifetime, open }: Candidate,
    body: Uint8Array,
    atMs: number,
    tags: readonly string[],
    before: HeaderList | undefined,
  ): StoredResponse {
    const { explicit: _, ...life } = lifetime
    const own = headerOf(headers, 'etag') !== undefined || headerOf(headers, 'last-modified') !== undefined
    const lasting = withoutInherited(lastingHeaders(headers), before)
    const fields = without(lasting, new Set(['age', ...namedFields(directives)]))
    const validated =
      status === 200 && headerOf(headers, 'etag') === undefined ? withHeader(fields, 'etag', etagOf(body)) : fields
    return {
      ...{ kind: 'response', status, headers: validated, body: packBody(body), atMs, ...life },
      ...{ open, asks: own, select: this.#place.select, tags },
    }
  }

  #freshened(
    old: StoredResponse,
    { headers, lifetime, open }: Candidate,
    atMs: number,
    tags: readonly string[],
  ): StoredResponse {
    const { explicit: _, ...life } = lifetime
    return { ...old, headers: without(headers, new Set(['age'])), atMs, ...life, open, tags }
  }

  /** Answers the client with a response that may be stored, and says what is to be stored here. */
  async #keep(made: StoredResponse, context: LoadSays, produced: Produced, whole?: HeaderList) {
    const { exchange, resource, whose } = this.#ask
    const { store, options } = this.#room
    const handling = { fwdStatus: produced.status, stored: true }
    if (produced.status === 304)
      this.#resolve(serveStored(exchange, options, made, { ...this.#why, ...handling }, produced))
    else if (whole !== undefined) {
      const tagged = withHeader(whole, 'etag', headerOf(made.headers, 'etag'))
      const body = typeof made.body === 'string' ? Buffer.from(made.body) : made.body
      this.#resolve(serveProduced(exchange, produced, this.#status(tagged, handling), body))
    }
    const vary = [...new Set(membersOf(headerOf(made.headers, 'vary')))].sort()
    const { record } = this.#place
    const known = record?.vary ?? []
    if (vary.every((name) => known.includes(name))) {
      tell(context, made, store)
      return made
    }
    const union: VaryRecord = {
      kind: 'vary',
      vary: [...new Set([...known, ...vary])].sort(),
      mark: randomId(8),
      tags: made.tags,
    }
    if (record !== undefined) {
      // Its siblings were chosen by less: all begin anew, under a mark that leads to none of them.
      this.#refuse('vary', false)
      await store.set(resource, union).catch(() => {})
      return undefined
    }
    // The variant first, so that whoever finds the record finds it too; should the record be refused, nothing leads to the variant.
    const place = variantPlace(resource, union, exchange.request, whose, options)
    const variant = { ...made, select: place.select }
    const put = async (_: string, { setTtl, setTags }: LoadSays) => {
      tell({ setTtl, setTags }, variant, store)
      return variant
    }
    await store.get(place.id, put).catch(() => {})
    tell(context, { tags: made.tags }, store)
    return union
  }
}

/** Less than the handler promised is no response to be stored (RFC 9111, 3.3). */
function isWhole(headers: HeaderList, body: Uint8Array): boolean {
  const promised = headerOf(headers, 'content-length')
  return promised === undefined || Number(promised) === body.length
}

/** Tells the cache how long to keep a response and under which tags, where its loaders may. A record is kept as long as anything. */
function tell(
  { setTtl, setTags }: LoadSays,
  made: StoredResponse | Pick<StoredResponse, 'tags'>,
  { settings }: ResponseStore,
): void {
  if (made.tags.length > 0) setTags?.(made.tags)
  if ('freshMs' in made) setTtl?.(Math.min(retentionMs(made), settings.ttlMs))
}
