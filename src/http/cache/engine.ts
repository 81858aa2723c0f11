import { ConfigError } from '../../base/errors.ts'
import { randomId } from '../../base/id.ts'
import { headerOf } from '../headers.ts'
import { type Directives, parseDirectives } from './directives.ts'
import type { Exchange, Reply } from './exchange.ts'
import { type Ask, Fill, type FillRoom } from './fill.ts'
import { judge, lifetimeOf, mayServeOnError } from './freshness.ts'
import { type Place, resourceId, variantPlace } from './keys.ts'
import { takeInHand } from './nested.ts'
import { type CacheResponseOptions, checkStore, type ResolvedOptions, resolveOptions } from './options.ts'
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
  | { readonly reply?: undefined; readonly found: StoredResponse | VaryRecord | undefined; readonly failed: boolean }

/**
 * A shared HTTP cache (RFC 9111) in front of handlers: what may be stored is, under the lease of the cache beneath, and what is stored
 * answers what it may.
 */
export class ResponseCache {
  readonly #store: ResponseStore
  readonly #options: ResolvedOptions
  readonly #room: FillRoom
  readonly #unshared = new Unshared()
  readonly #behind = new Set<string>()
  /** True where every response is one of several, whatever it says itself. */
  readonly #varies: boolean

  constructor(cache: unknown, options: CacheResponseOptions<never> | undefined) {
    this.#store = checkStore(cache)
    this.#options = resolveOptions(options)
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

  /** Removes all that is stored of a URL, each of its variants too. A path alone: of every host, which costs a look at every key. */
  async purge(url: string): Promise<void> {
    if (url.startsWith('/')) {
      const path = url.replace(/[*?[\]\\]/g, '\\$&')
      await this.#store.invalidatePattern(`*://*${path}`)
      return
    }
    const id = resourceId(url, this.#options.query)
    if (id !== undefined) await this.#store.delete(id)
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
        if (obtained.found === undefined && !obtained.failed && (await this.#moved(ask, place))) continue
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
      if (found?.kind === 'vary') return { found, failed: false }
      // Written with other options, or before them.
      await this.#store.set(resource, made)
    } catch {
      // Without a record the variant's name is this request's alone, and leads to nothing.
    }
    return { found: made, failed: false }
  }

  /** What is stored at a place, or the answer of the handler, which runs once for all who ask now. */
  async #obtain(ask: Ask, place: Place): Promise<Obtained> {
    const mark = markOf(ask, place.id)
    if (this.#unshared.has(mark)) return { reply: await this.#alone(ask, mark, { fwd: 'miss', detail: 'unshared' }) }
    const fill = new Fill(this.#room, ask, place, undefined, { fwd: 'miss' })
    return this.#settle(mark, fill, this.#store.get(place.id, this.#loader(fill)))
  }

  /** Its text tells the cache whether tags may come. */
  #loader(fill: Fill): StoreLoad {
    return this.#options.tags === undefined
      ? (_, { setTtl }) => fill.load({ setTtl })
      : (_, { setTtl, setTags }) => fill.load({ setTtl, setTags })
  }

  /** The client of a fill is answered by it, before it has ended; the others by what it leaves. */
  async #settle(mark: string, fill: Fill, got: Promise<unknown>): Promise<Obtained> {
    const noted = got.then(
      (value) => {
        if (fill.led) this.#note(mark, fill)
        else fill.close()
        return { found: readStored(value), failed: false }
      },
      // The handler failed for another; or the cache cannot be asked, and then its part is taken by the handler.
      () => ({ found: undefined, failed: true }),
    )
    const answered = fill.answer.then((reply) => ({ reply }))
    answered.catch(() => {})
    const first = await Promise.race([answered, noted])
    if ('reply' in first) return first
    return fill.led ? { reply: await fill.answer } : first
  }

  #note(mark: string, { refusal, isLasting }: Fill): void {
    if (refusal === undefined) this.#unshared.delete(mark)
    else if (isLasting) this.#unshared.add(mark)
  }

  /** Answers with what was found, if that may be; undefined when it has to be looked for anew. */
  async #use(
    ask: Ask,
    place: Place,
    { found, failed }: Exclude<Obtained, { reply: Reply }>,
  ): Promise<Reply | undefined> {
    const { exchange, asked, credentials } = ask
    if (found?.kind === 'vary') return undefined
    if (found === undefined) {
      const detail = failed ? 'others-failed' : 'not-shared'
      return this.#alone(ask, markOf(ask, place.id), { fwd: 'miss', detail })
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
    if (this.#unshared.has(mark)) return this.#alone(ask, mark, { ...why, detail: 'unshared' })
    const fill = new Fill(this.#room, ask, place, same ? old : undefined, why)
    const obtained = await this.#settle(mark, fill, this.#renew(ask, place, fill))
    if (obtained.reply !== undefined) return obtained.reply
    const { found, failed } = obtained
    if (found?.kind === 'vary') return undefined
    if (found !== undefined && this.#isAnswer(ask, place, found) && mayBeGiven(found.open, credentials))
      return serveStored(exchange, this.#options, found, { ...why, collapsed: true })
    if (failed && same && mayServeOnError(old, asked, Date.now()))
      return serveStored(exchange, this.#options, old, { fwd: 'stale', detail: 'stale-if-error' })
    return this.#alone(ask, mark, { ...why, detail: failed ? 'others-failed' : 'not-shared' })
  }

  #renew(ask: Ask, place: Place, fill: Fill): Promise<unknown> {
    const unless = (value: unknown) => {
      const found = readStored(value)
      return found?.kind === 'response' && this.#isAnswer(ask, place, found)
    }
    return this.#store.refresh(place.id, this.#loader(fill), { unless })
  }

  /** Whether a response was made for this request, or for another that came along with it. */
  #isAnswer({ startMs, asked }: Ask, { select }: Place, found: StoredResponse): boolean {
    return found.select === select && (found.atMs >= startMs || judge(found, asked, Date.now()) === 'fresh')
  }

  #refreshBehind(ask: Ask, place: Place, old: StoredResponse): void {
    const { runBehind } = ask.exchange
    if (runBehind === undefined || this.#behind.has(place.id)) return
    this.#behind.add(place.id)
    const fill = new Fill(this.#room, { ...ask, asked: NOTHING }, place, old, { fwd: 'stale' }, runBehind)
    const end = () => void this.#behind.delete(place.id)
    this.#renew(ask, place, fill).then(end, end)
  }

  /** The handler, for this request alone. What turns out to be for all is left to the next one to store. */
  async #alone(ask: Ask, mark: string, why: Handling): Promise<Reply> {
    const { exchange, credentials } = ask
    const askedMs = Date.now()
    const produced = await exchange.run({})
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

/** Requests with credentials are kept apart: that theirs cannot be shared says nothing about the others'. */
const markOf = ({ credentials }: Ask, id: string): string =>
  credentials.authorization || credentials.cookies ? `${id} own` : id

function whyBypass({ request }: Exchange): string | undefined {
  if (request.header('range') !== undefined) return 'range'
  return PRECONDITIONS.find((name) => request.header(name) !== undefined)
}

/** Those of the same origin as `base`, absolute. */
function sameOrigin(urls: readonly (string | undefined)[], base: string): Set<string> {
  const origin = URL.canParse(base) ? new URL(base).origin : undefined
  const found = new Set<string>([base])
  for (const url of urls) {
    if (url === undefined || !URL.canParse(url, base)) continue
    const whole = new URL(url, base)
    if (whole.origin === origin) found.add(whole.href)
  }
  return found
}
