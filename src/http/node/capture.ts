import type { ServerResponse } from 'node:http'
import { ClientGone } from '../cache/exchange.ts'
import { AFTER_CLOSE_MS, Gathering } from '../gathering.ts'
import type { HeaderList } from '../headers.ts'

type Done = (error?: Error | null) => void

/**
 * Listens to what a handler writes to a response, and holds it back until it is said what the client gets: just that, with other headers
 * (`pass`), or something else (`replace`). What has passed is gathered on.
 */
export class Capture {
  /** Resolves when status and headers are known; rejects when the client has gone and the handler does not answer any more. */
  readonly begun: Promise<void>
  readonly #res: ServerResponse
  readonly #gathering: Gathering
  readonly #own: Pick<ServerResponse, 'write' | 'end' | 'writeHead' | 'flushHeaders'>
  readonly #held: (readonly [chunk: Buffer, done: Done | undefined])[] = []
  #state: 'before' | 'held' | 'passing' | 'replaced' = 'before'
  #ended = false
  #sending = false
  #isDestroyed = false
  #endDone: Done | undefined
  #begin: () => void = () => {}
  #abandon: (error: Error) => void = () => {}
  readonly #statusBefore: number
  readonly #rawBefore: HeaderList
  /** What middleware before the cache has set. */
  before: HeaderList
  status = 0
  headers: HeaderList = []

  constructor(res: ServerResponse, maxBytes: number) {
    this.#res = res
    this.#statusBefore = res.statusCode
    this.#rawBefore = headersOf(res)
    this.before = this.#rawBefore
    this.#gathering = new Gathering(maxBytes)
    this.begun = new Promise((resolve, reject) => {
      this.#begin = resolve
      this.#abandon = reject
    })
    this.begun.catch(() => {})
    const { write, end, writeHead, flushHeaders } = res
    this.#own = {
      write: write.bind(res) as ServerResponse['write'],
      end: end.bind(res) as ServerResponse['end'],
      writeHead: writeHead.bind(res) as ServerResponse['writeHead'],
      flushHeaders: flushHeaders.bind(res),
    }
    this.#wrap()
    // A stream that fed a response which is closed is torn off; a handler at work may still answer.
    let isPiped = false
    res.on('pipe', () => {
      isPiped = true
    })
    res.once('close', () => {
      if (this.#ended) return
      if (isPiped || this.#isDestroyed) return this.#giveUp()
      this.#gathering.closed()
      setTimeout(() => this.#abandon(new ClientGone()), AFTER_CLOSE_MS).unref()
    })
  }

  /** Nothing more will come of the handler. */
  #giveUp(): void {
    this.#gathering.giveUp()
    this.#abandon(new ClientGone())
  }

  // For good, and not to be taken off again: middleware behind may have wrapped these in turn.
  #wrap(): void {
    const res = this.#res
    Object.assign(res, {
      writeHead: (status: number, ...rest: unknown[]) => {
        if (this.#isOpen) this.#head(status, rest)
        else (this.#own.writeHead as (...args: unknown[]) => unknown)(status, ...rest)
        return res
      },
      flushHeaders: () => (this.#isOpen ? this.#known() : this.#own.flushHeaders()),
      write: (chunk: unknown, encoding?: unknown, done?: Done) => this.#write(chunk, encoding, done),
      end: (chunk?: unknown, encoding?: unknown, done?: Done) => {
        this.#end(chunk, encoding, done)
        return res
      },
    })
    const { destroy } = res
    res.destroy = (error) => {
      // Who breaks it off himself goes on no more. A client who leaves does not come by here.
      this.#isDestroyed = true
      if (!this.#ended) this.#giveUp()
      return destroy.call(res, error)
    }
    Object.defineProperty(res, 'headersSent', { get: () => this.#state !== 'before', configurable: true })
    Object.defineProperty(res, 'writableEnded', { get: () => this.#ended, configurable: true })
  }

  /** True until it is said what the client gets. */
  get #isOpen(): boolean {
    return this.#state === 'before' || this.#state === 'held'
  }

  /** From now on the response tells of itself. */
  #decide(state: 'passing' | 'replaced', headers: HeaderList): void {
    this.#state = state
    const res = this.#res as unknown as Record<string, unknown>
    delete res.headersSent
    delete res.writableEnded
    replaceHeaders(this.#res, headers)
  }

  /** Sends past ourselves, also where middleware before calls the response again. */
  #send(work: () => void): void {
    this.#sending = true
    work()
    this.#sending = false
  }

  #head(status: number, rest: readonly unknown[]): void {
    const res = this.#res
    res.statusCode = status
    if (typeof rest[0] === 'string') res.statusMessage = rest[0]
    const headers = typeof rest[0] === 'string' ? rest[1] : rest[0]
    if (Array.isArray(headers)) setPairs(res, headers.flat())
    else if (typeof headers === 'object' && headers !== null)
      for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, value)
    this.#known()
  }

  #known(): void {
    if (this.#state !== 'before') return
    this.#state = 'held'
    this.status = this.#res.statusCode
    this.headers = headersOf(this.#res)
    this.#begin()
  }

  #write(chunk: unknown, encoding: unknown, done: Done | undefined): boolean {
    if (this.#sending) return this.#own.write(chunk, encoding as BufferEncoding, done)
    this.#known()
    const callback = typeof encoding === 'function' ? (encoding as Done) : done
    const bytes = toBuffer(chunk, encoding)
    this.#gathering.add(bytes)
    if (this.#state === 'passing') return this.#own.write(bytes, callback ?? undefined)
    if (this.#state === 'held') this.#held.push([bytes, callback])
    else if (callback) process.nextTick(callback)
    return true
  }

  #end(chunk: unknown, encoding: unknown, done: Done | undefined): void {
    if (this.#sending) return void this.#own.end(chunk, encoding as BufferEncoding, done as () => void)
    if (this.#ended) return
    if (typeof chunk === 'function') return this.#end(undefined, undefined, chunk as Done)
    if (chunk !== undefined && chunk !== null) this.#write(chunk, encoding, undefined)
    this.#known()
    this.#ended = true
    this.#endDone = typeof encoding === 'function' ? (encoding as Done) : done
    this.#gathering.end()
    if (this.#state === 'passing') this.#own.end(this.#endDone as () => void)
    if (this.#state === 'replaced' && this.#endDone) process.nextTick(this.#endDone)
  }

  atOnce(): Promise<Buffer | undefined> {
    return this.#gathering.atOnce()
  }

  whole(): Promise<Buffer | undefined> {
    return this.#gathering.whole()
  }

  discard(): void {}

  /** Gathers only: there is no client. */
  mute(): void {
    this.#state = 'replaced'
    for (const [, done] of this.#held.splice(0)) if (done) process.nextTick(done)
  }

  /** Once the handler has ended, its answer is as if it had never been, and another may be written. False when that cannot be. */
  async undo(): Promise<boolean> {
    this.mute()
    await this.whole()
    if (!this.#ended || this.#res.destroyed || this.#res.headersSent !== true) return false
    this.#ended = false
    this.#decide('passing', this.#rawBefore)
    this.#res.statusCode = this.#statusBefore
    return true
  }

  /** Lets all that was and will be written through, under these headers. */
  pass(headers: HeaderList): void {
    const ended = this.#ended
    this.#decide('passing', headers)
    const held = this.#held.splice(0)
    const last = ended ? held.pop() : undefined
    this.#send(() => {
      for (const [chunk, done] of held) this.#own.write(chunk, done ?? undefined)
      // In one piece where it came in one: middleware before may look at nothing but the end.
      if (ended) this.#own.end(last?.[0], this.#endDone as () => void)
      else this.#own.flushHeaders()
    })
  }

  /** Sends something else; what the handler writes still is gathered only. */
  replace(status: number, headers: HeaderList, body: Uint8Array | undefined): void {
    const res = this.#res
    for (const [, done] of this.#held.splice(0)) if (done) process.nextTick(done)
    this.#decide('replaced', headers)
    if (status !== res.statusCode) res.statusMessage = ''
    res.statusCode = status
    this.#send(() => this.#own.end(body ?? undefined, this.#endDone as () => void))
  }
}

function toBuffer(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  return chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.alloc(0)
}

function setPairs(res: ServerResponse, flat: readonly unknown[]): void {
  const seen = new Set<string>()
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = String(flat[i])
    const value = flat[i + 1] as string
    if (seen.has(name.toLowerCase())) res.appendHeader(name, value)
    else res.setHeader(name, value)
    seen.add(name.toLowerCase())
  }
}

export function headersOf(res: ServerResponse): HeaderList {
  return Object.entries(res.getHeaders()).flatMap(([name, value]) =>
    value === undefined
      ? []
      : Array.isArray(value)
        ? value.map((one) => [name, String(one)] as const)
        : [[name, String(value)] as const],
  )
}

/** Makes these the only headers of a response. */
function replaceHeaders(res: ServerResponse, headers: HeaderList): void {
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of headers) res.appendHeader(name, value)
}
