import { ConfigError } from '../../base/errors.ts'
import { randomId } from '../../base/id.ts'
import { headerOf } from '../headers.ts'
import { type Directives, parseDirectives } from './directives.ts'
import { ClientGone, type Exchange, type Produced, type Reply } from './exchange.ts'
import { type Ask, Fill, type FillRoom, HandlerFailed, isFailure, type SharedFailure } from './fill.ts'
import { judge, lifetimeOf, mayServeOnError } from './freshness.ts'
import { type Place, resourceId, variantPlace } from './keys.ts'
import { takeInHand } from './nested.ts'
import { type CacheResponseOptions, checkStore, type ResolvedOptions, resolveOptions } from './options.ts'
import { purgeTarget, sameOrigin } from './purging.ts'
import { Runs } from './runs.ts'
import { refuseUncached, servePassing, serveStored, withDate } from './serve.ts'
import { type Handling, withStatus } from './status.ts'
import { type Credentials, mayBeGiven, openness, whyNotStored } from './storable.ts'
import type { ResponseStore, StoreLoad } from './store.ts'
import { readStored, type StoredResponse, type VaryRecord } from './stored.ts'
import { Unshared } from './unshared.ts'

/** Further looks when what responses differ by has changed under a request. */
const MOST_ROUNDS = 4
/** Conditions that a cache would have to know the present state for. */
const PRECONDITIONS = ['if-match', 'if-unmodified-since', 'if-range'] as const
const NOTHING: Directives = new Map()

/** What was found at a place, or the answer itself. */
type Obtained =
  | { readonly reply: Reply }
  | {
      readonly reply?: undefined
      readonly found: StoredResponse | VaryRecord | undefined
      /** Why another's run left nothing: it failed, or it took too long. */
      readonly lost?: 'failed' | 'slow'
      readonly failure?: SharedFailure | undefined
    }

/**
 * A shared HTTP cache (RFC 9111) in front of handlers: what may be stored is, under the lease of the cache beneath, and what is stored
 * answers what it may.
 */
export class ResponseCache {
  readonly #store: ResponseStore
  readonly #options: ResolvedOptions
  readonly #room: FillRoom
  readonly #unshared = new Unshared()
  readonly #runs: Runs
  readonly #behind = new Set<string>()
  /** True where every response is one of several, whatever it says itself. */
  readonly #varies: boolean

  constructor(cache: unknown, options: CacheResponseOptions<never> | undefined) {
    this.#store = checkStore(cache)
    this.#options = resolveOptions(options)
    this.#runs = new Runs(this.#options.maxWaitMs)
    const { vary, cookies, key } = this.#options
    const names = cookies === undefined || cookies.length === 0 ? vary : [...vary, 'cookie']
    this.#room = { store: this.#store, options: this.#options, vary: [...new Set(names)].sort() }
    this.#varies = names.length > 0 || key !== undefined
  }

  /** False where this very cache has the request in hand already, further out: it is to go on to the handler. */
  takes(request: object): boolean {
    return takeInHand(request, this.#store)
  }

  get maxBytes(): number {
    return this.#options.maxBytes
  }

  /** Removes all that is stored of a URL, each of its variants too. A path alone: of that path at every host, which costs a look at every key. */
  async purge(url: string | URL): Promise<void> {
    const target = purgeTarget(url, this.#options.query)
    if ('pattern' in target) await this.#store.invalidateWhere(target.pattern, target.isMeant)
    else await this.#store.delete(target.id)
  }

  async handle(exchange: Exchange): Promise<Reply> {
    const { request } = exchange
    if (request.method !== 'GET' && request.method !== 'HEAD') return this.#otherMethod(exchange)
    const asked = parseDirectives(request.header('cache-control'))
    const resource = resourceId(request.url, this.#options.query)
    const bypass = whyBypass(exchange)
    if (bypass !== undefined || resource === undefined)
      return this.#pass(exchange, { fwd: 'bypass', detail: bypass ?? 'url' })
    const whose = this.#options.key === undefined ? '' : await this.#options.key(exchange.native)
    if (whose === undefined) return this.#pass(exchange, { fwd: 'bypass', detail: 'key' })
    if (typeof whose !== 'string') throw new ConfigError('key', 'a string or undefined from it', whose)
    if (asked.has('no-store')) return this.#pass(exchange, { fwd: 'request', detail: 'no-store' })
    const credentials = this.#credentialsOf(exchange)
    const ask: Ask = { exchange, asked, credentials, resource, whose, startMs: Date.now() }
    return request.method === 'HEAD' || asked.has('only-if-cached') ? this.#fromCache(ask) : this.#get(ask)
  }

  #credentialsOf({ request }: Exchange): Credentials {
    const { key, vary, cookies } = this.#options
    const covers = (name: string) => key !== undefined || vary.includes(name)
    return {
      authorization: !covers('authorization') && request.header('authorization') !== undefined,
      cookies: !covers('cookie') && cookies === undefined && request.header('cookie') !== undefined,
    }
  }

  async #pass(exchange: Exchange, handling: Handling): Promise<Reply> {
    const produced = await exchange.run({})
    return { kind: 'pass', produced, headers: withStatus(produced.headers, this.#options.name, handling) }
  }

  /** What changes a resource makes what is stored of it old (RFC 9111, 4.4). */
  async #otherMethod(exchange: Exchange): Promise<Reply> {
    const { method, url } = exchange.request
    const produced = await exchange.run({})
    const isSafe = method === 'OPTIONS' || method === 'TRACE'
    let detail: string | undefined
    if (!isSafe && this.#options.invalidates && url !== undefined && produced.status >= 200 && produced.status < 400) {
      const urls = [url, ...['location', 'content-location'].map((name) => headerOf(produced.headers, name))]
      try {
        await Promise.all([...sameOrigin(urls, url)].map((one) => this.purge(one)))
      } catch {
        // The change is made, and its client must be told so.
        detail = 'not-invalidated'
      }
    }
    const handling: Handling = detail === undefined ? { fwd: 'method' } : { fwd: 'method', detail }
    return { kind: 'pass', produced, headers: withStatus(produced.headers, this.#options.name, handling) }
  }

  /** HEAD, and who wants nothing but the cache's: answered from what is stored, never by a load. */
  async #fromCache(ask: Ask): Promise<Reply> {
    const { exchange, asked, credentials } = ask
    let { place, found } = await this.#peek({ id: ask.resource, record: undefined, select: '' })
    if (found?.kind === 'vary') {
      const record: VaryRecord = found
      ;({ place, found } = await this.#peek(this.#variant(ask, record)))
    }
    if (found?.kind === 'response' && found.select === place.select && mayBeGiven(found.open, credentials)) {
      const verdict = judge(found, asked, Date.now())
      if (verdict !== 'no')
        return serveStored(exchange, this.#options, found, { hit: true, ...(verdict === 'behind' ? STALE : {}) })
    }
    return asked.has('only-if-cached')
      ? refuseUncached(this.#options)
      : this.#pass(exchange, { fwd: 'miss', detail: 'head' })
  }

  async #peek(place: Place): Promise<{ place: Place; found: StoredResponse | VaryRecord | undefined }> {
    const value = await this.#store.peek(place.id).catch(() => undefined)
    return { place, found: readStored(value) }
  }

  #variant(ask: Ask, record: VaryRecord): Place {
    return variantPlace(ask.resource, record, ask.exchange.request, ask.whose, this.#options)
  }

  async #get(ask: Ask): Promise<Reply> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      let place: Place = { id: ask.resource, record: undefined, select: '' }
      let obtained = this.#varies ? await this.#record(ask) : await this.#obtain(ask, place)
      if (obtained.reply !== undefined) return obtained.reply
      if (obtained.found?.kind === 'vary') {
        place = this.#variant(ask, obtained.found)
        obtained = await this.#obtain(ask, place)
        if (obtained.reply !== undefined) return obtained.reply
        // Nothing may mean that it was found to differ by more, and the record says so by now.
        if (obtained.found === undefined && obtained.lost === undefined && (await this.#moved(ask, place))) continue
      }
      const reply = await this.#use(ask, place, obtained)
      if (reply !== undefined) return reply
    }
    return this.#alone(ask, ask.resource, { fwd: 'miss', detail: 'unsteady' })
  }

  async #moved({ resource }: Ask, { record }: Place): Promise<boolean> {
    const { found } = await this.#peek({ id: resource, record: undefined, select: '' })
    return found?.kind === 'vary' && found.mark !== record?.mark
  }

  /** The record of a URL whose responses differ in any case: it needs no handler. */
  async #record({ resource }: Ask): Promise<Obtained> {
    const made: VaryRecord = { kind: 'vary', vary: this.#room.vary, mark: randomId(8), tags: [] }
    try {
      const found = readStored(await this.#store.get(resource, async () => made))
      if (found?.kind === 'vary') return { found }
      // Written with other options, or before them.
      await this.#store.set(resource, made)
    } catch {
      // Without a record the variant's name is this request's alone, and leads to nothing.
    }
    return { found: made }
  }

  /** What is stored at a place, or the answer of the handler, which runs once for all who ask now. */
  async #obtain(ask: Ask, place: Place): Promise<Obtained> {
    const mark = markOf(ask, place.id)
    const detail = this.#whyNotToWait(mark, place)
    if (detail !== undefined) {
      // What somebody has stored serves in any case.
      const { found } = await this.#peek(place)
      return found === undefined ? { reply: await this.#alone(ask, mark, { fwd: 'miss', detail }) } : { found }
    }
    const fill = new Fill(this.#room, ask, place, undefined, { fwd: 'miss' }, this.#runs.longestMs)
    return this.#settle(mark, place, fill, this.#store.get(place.id, this.#loader(place, fill)))
  }

  #whyNotToWait(mark: string, { id }: Place): string | undefined {
    if (this.#unshared.has(mark)) return 'unshared'
    return this.#runs.leftMs(id) <= 0 ? 'others-slow' : undefined
  }

  /** Its text tells the cache whether tags may come. */
  #loader({ id }: Place, fill: Fill): StoreLoad {
    return this.#options.tags === undefined
      ? (_, { setTtl }) => this.#runs.run(id, () => fill.load({ setTtl }))
      : (_, { setTtl, setTags }) => this.#runs.run(id, () => fill.load({ setTtl, setTags }))
  }

  /** The client of a fill is answered by it, before it has ended; the others by what it leaves. */
  async #settle(mark: string, { id }: Place, fill: Fill, got: Promise<unknown>): Promise<Obtained> {
    const noted = got.then(
      (value): Obtained => {
        if (fill.led) this.#note(mark, fill)
        else fill.close()
        return { found: readStored(value) }
      },
      // The handler failed for another; or the cache cannot be asked, and then its part is taken by the handler.
      (error): Obtained => {
        const failure = error instanceof HandlerFailed ? error.shared : undefined
        return { found: undefined, lost: 'failed', failure }
      },
    )
    const answered = fill.answer.then((reply): Obtained => ({ reply }))
    answered.catch(() => {})
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<Obtained>((resolve) => {
      const isLate = () => {
        if (fill.led) return
        fill.close()
        resolve({ found: undefined, lost: 'slow' })
      }
      timer = setTimeout(isLate, Math.max(1, this.#runs.leftMs(id)))
    })
    try {
      const first = await Promise.race([answered, noted, late])
      return first.reply === undefined && fill.led ? { reply: await fill.answer } : first
    } finally {
      clearTimeout(timer)
    }
  }

  #note(mark: string, { refusal, isLasting }: Fill): void {
    if (refusal === undefined) this.#unshared.delete(mark)
    else if (isLasting) this.#unshared.add(mark)
  }

  /** Answers with what was found, if that may be; undefined when it has to be looked for anew. */
  async #use(
    ask: Ask,
    place: Place,
    { found, lost, failure }: Exclude<Obtained, { reply: Reply }>,
  ): Promise<Reply | undefined> {
    const { exchange, asked, credentials } = ask
    if (found?.kind === 'vary') return undefined
    if (found === undefined) {
      const shared = this.#shared(ask, place, failure, { fwd: 'miss' })
      return shared ?? this.#alone(ask, markOf(ask, place.id), { fwd: 'miss', detail: whyAlone(lost) })
    }
    // Another variant has its slot: nothing that this client may be given.
    if (found.select !== place.select)
      return this.#refresh(ask, place, found, { fwd: 'miss', detail: 'variant' }, false)
    if (!mayBeGiven(found.open, credentials)) {
      const detail = credentials.authorization ? 'authorization' : 'cookie'
      return this.#alone(ask, markOf(ask, place.id), { fwd: 'bypass', detail })
    }
    const nowMs = Date.now()
    const collapsed = found.atMs > ask.startMs
    switch (collapsed && found.rule !== 'no-cache' ? 'fresh' : judge(found, asked, nowMs)) {
      case 'fresh':
        return serveStored(exchange, this.#options, found, collapsed ? { fwd: 'miss', collapsed } : { hit: true })
      case 'stale':
        return serveStored(exchange, this.#options, found, { hit: true, detail: 'max-stale' })
      case 'behind':
        if (exchange.runBehind === undefined) break
        this.#refreshBehind(ask, place, found)
        return serveStored(exchange, this.#options, found, { hit: true, ...STALE })
    }
    const isFresh = judge(found, NOTHING, nowMs) === 'fresh'
    return this.#refresh(ask, place, found, { fwd: isFresh ? 'request' : 'stale' }, true)
  }

  /** Asks the handler though something is stored. `same`: what is stored is an older answer to the same request. */
  async #refresh(
    ask: Ask,
    place: Place,
    old: StoredResponse,
    why: Handling,
    same: boolean,
  ): Promise<Reply | undefined> {
    const { exchange, asked, credentials } = ask
    const mark = markOf(ask, place.id)
    const own = same ? old : undefined
    const detail = this.#whyNotToWait(mark, place)
    if (detail !== undefined) return this.#alone(ask, mark, { ...why, detail }, own)
    const fill = new Fill(this.#room, ask, place, own, why, this.#runs.longestMs)
    const obtained = await this.#settle(mark, place, fill, this.#renew(ask, place, fill))
    if (obtained.reply !== undefined) return obtained.reply
    const { found, lost, failure } = obtained
    if (found?.kind === 'vary') return undefined
    if (found !== undefined && this.#isAnswer(ask, place, found) && mayBeGiven(found.open, credentials))
      return serveStored(exchange, this.#options, found, { ...why, collapsed: true })
    if (lost === 'failed' && same && mayServeOnError(old, asked, Date.now()))
      return serveStored(exchange, this.#options, old, { fwd: 'stale', detail: 'stale-if-error' })
    return this.#shared(ask, place, failure, why) ?? this.#alone(ask, mark, { ...why, detail: whyAlone(lost) }, own)
  }

  /** The failure of a run that this request has waited for, where it may be given it. */
  #shared(
    { exchange, credentials }: Ask,
    { select }: Place,
    failure: SharedFailure | undefined,
    why: Handling,
  ): Reply | undefined {
    if (failure === undefined || failure.select !== select) return undefined
    if (!mayBeGiven(failure.response?.open ?? '', credentials)) return undefined
    if (failure.response === undefined) throw failure.error
    return serveStored(exchange, this.#options, failure.response, { ...why, collapsed: true })
  }

  #renew(ask: Ask, place: Place, fill: Fill): Promise<unknown> {
    const unless = (value: unknown) => {
      const found = readStored(value)
      return found?.kind === 'response' && this.#isAnswer(ask, place, found)
    }
    return this.#store.refresh(place.id, this.#loader(place, fill), { unless })
  }

  /** Whether a response was made for this request, or for another that came along with it. */
  #isAnswer({ startMs, asked }: Ask, { select }: Place, found: StoredResponse): boolean {
    return found.select === select && (found.atMs >= startMs || judge(found, asked, Date.now()) === 'fresh')
  }

  #refreshBehind(ask: Ask, place: Place, old: StoredResponse): void {
    const { runBehind } = ask.exchange
    if (runBehind === undefined || this.#behind.has(place.id)) return
    this.#behind.add(place.id)
    const fill = new Fill(
      this.#room,
      { ...ask, asked: NOTHING },
      place,
      old,
      STALE_BEHIND,
      this.#runs.longestMs,
      runBehind,
    )
    const end = () => void this.#behind.delete(place.id)
    this.#renew(ask, place, fill).then(end, end)
  }

  /** The handler, for this request alone. What turns out to be for all is left to the next one to store. `old`: serves if it fails. */
  async #alone(ask: Ask, mark: string, why: Handling, old?: StoredResponse): Promise<Reply> {
    const { exchange, credentials } = ask
    const askedMs = Date.now()
    const spare = old !== undefined && mayServeOnError(old, ask.asked, askedMs) ? old : undefined
    let produced: Produced
    try {
      produced = await exchange.run({})
    } catch (error) {
      if (spare === undefined || error instanceof ClientGone) throw error
      return serveStored(exchange, this.#options, spare, { fwd: 'stale', detail: 'stale-if-error' })
    }
    if (spare !== undefined && isFailure(produced.status)) {
      const handling = { fwd: 'stale', fwdStatus: produced.status, detail: 'stale-if-error' } as const
      return serveStored(exchange, this.#options, spare, handling, produced)
    }
    const headers = withDate(produced.headers, askedMs)
    const directives = parseDirectives(headerOf(headers, 'cache-control'))
    const lifetime = lifetimeOf(headers, directives, this.#options, askedMs, Date.now())
    const candidate = { status: produced.status, headers, directives, lifetime, open: openness(directives) }
    if (whyNotStored(candidate, credentials) === undefined) this.#unshared.delete(mark)
    const handling = { ...why, fwdStatus: produced.status }
    return servePassing(exchange, produced, withStatus(produced.headers, this.#options.name, handling))
  }
}

const STALE: Handling = { detail: 'stale-while-revalidate' }
const STALE_BEHIND: Handling = { fwd: 'stale' }

const whyAlone = (lost: 'failed' | 'slow' | undefined): string => (lost === undefined ? 'not-shared' : `others-${lost}`)

/** Requests with credentials are kept apart: that theirs cannot be shared says nothing about the others'. */
const markOf = ({ credentials }: Ask, id: string): string =>
  credentials.authorization || credentials.cookies ? `${id} own` : id

function whyBypass({ request }: Exchange): string | undefined {
  if (request.header('range') !== undefined) return 'range'
  return PRECONDITIONS.find((name) => request.header(name) !== undefined)
}
