import { checkKnown, checkSignal } from '../base/check.ts'
import { sleep, unlessAborted } from '../base/clock.ts'
import { ConfigError, ConnectionError, TimeoutError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Layout } from '../stream/layout.ts'
import type { EndEvent, EventsOptions, ProgressEvent, QueueEvent } from './events.ts'
import { eventsKey } from './keys.ts'
import { tellScript } from './lua.generated.ts'
import { eventsChannel } from './notices.ts'
import { readReport, writeReport } from './reports.ts'

/** Events of one call. */
const PAGE = 200
/** An error with its stack, or what a handler said, and nothing that is larger. */
const LONGEST = 64 * 1024
/** While Redis is away, so many wait to be told; beyond, the oldest are left out. */
const MOST_WAITING = 10_000
/** A message may be lost: who follows looks by himself so often. */
const LOOK_AGAIN_MS = 2_000
const AGAIN_MS = 500

/** What became of the jobs of a queue, as a stream of bounded length: told by those who run them, followed by anybody. */
export class Feed {
  readonly #redis: Redis
  readonly #first: Layout
  readonly #most: number
  readonly #closed = new AbortController()
  #waiting: string[] = []
  #sending: Promise<void> | undefined

  /** `most`: how many are kept. */
  constructor(redis: Redis, first: Layout, most: number) {
    this.#redis = redis
    this.#first = first
    this.#most = most
  }

  tell(event: EndEvent | ProgressEvent): void {
    if (this.#waiting.length === MOST_WAITING) this.#waiting.shift()
    this.#waiting.push(writeReport(event, LONGEST, 'event'))
    this.#sending ??= this.#send()
  }

  async #send(): Promise<void> {
    // What else ends in this turn of the loop goes along.
    await new Promise(setImmediate)
    while (this.#waiting.length > 0) {
      const events = this.#waiting.splice(0, PAGE)
      const args = { most: this.#most, channel: eventsChannel(this.#redis, this.#first), events }
      const options = { operation: 'queue.tell', repeat: true }
      try {
        await tellScript.run(this.#redis, { events: eventsKey(this.#first.keys) }, args, options)
      } catch {
        // Told twice is better than not at all; and a process that closes waits for nobody.
        this.#waiting = [...events, ...this.#waiting].slice(-MOST_WAITING)
        if (this.#closed.signal.aborted) break
        await sleep(AGAIN_MS, this.#closed.signal).catch(() => {})
      }
    }
    this.#sending = undefined
  }

  /** The position is that of the call, not that of the first look. */
  follow(options: EventsOptions = {}): AsyncGenerator<QueueEvent, void, void> {
    checkKnown('options', options, ['since', 'signal'])
    const { since } = options
    if (since !== undefined && since !== 'first' && !/^\d+-\d+$/.test(since))
      throw new ConfigError('since', "the `cursor` of an event, or 'first'", since)
    const signal = checkSignal(options.signal)
    signal?.throwIfAborted()
    if (this.#most === 0) throw new ConfigError('keepEvents', 'a number of events to keep, to follow them', this.#most)
    const start = since === undefined ? this.#last() : Promise.resolve(since === 'first' ? '0-0' : since)
    start.catch(() => {})
    return this.#follow(start, signal)
  }

  async *#follow(start: Promise<string>, signal: AbortSignal | undefined): AsyncGenerator<QueueEvent, void, void> {
    const closed = this.#closed.signal
    let wake = () => {}
    let isRung = false
    const ring = () => {
      isRung = true
      wake()
    }
    const channel = eventsChannel(this.#redis, this.#first)
    const listening = this.#redis.listeners.listen(channel, ring, this.#first.keys.state).catch(() => () => {})
    const end = new AbortController()
    signal?.addEventListener('abort', ring)
    closed.addEventListener('abort', ring)
    try {
      // First to hear, then to look; but Redis may not let us hear.
      const late = sleep(LOOK_AGAIN_MS, end.signal).catch(() => {})
      await unlessAborted(
        Promise.race([listening, late]),
        AbortSignal.any([closed, ...(signal ? [signal] : [])]),
      ).catch(() => {})
      let from = await unlessAborted(start, signal)
      while (!closed.aborted) {
        signal?.throwIfAborted()
        isRung = false
        const events = await unlessAborted(this.#page(from), signal)
        for (const event of events) {
          from = event.cursor
          yield event
        }
        if (events.length < PAGE && !isRung)
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, LOOK_AGAIN_MS)
            wake = () => {
              clearTimeout(timer)
              resolve()
            }
          })
      }
    } finally {
      end.abort()
      signal?.removeEventListener('abort', ring)
      closed.removeEventListener('abort', ring)
      void listening.then((stop) => stop())
    }
  }

  async #last(): Promise<string> {
    const key = eventsKey(this.#first.keys)
    const options = { operation: 'queue.events', repeat: true }
    const rows = (await this.#redis.call(key, 'XREVRANGE', [key, '+', '-', 'COUNT', 1], options)) as [string][]
    return rows[0]?.[0] ?? '0-0'
  }

  /** None while Redis is away: who follows waits for it. */
  async #page(from: string): Promise<readonly QueueEvent[]> {
    const key = eventsKey(this.#first.keys)
    const options = { operation: 'queue.events', repeat: true }
    try {
      const rows = await this.#redis.call(key, 'XRANGE', [key, `(${from}`, '+', 'COUNT', PAGE], options)
      return (rows as [string, string[]][]).map(([cursor, [, text = '']]) => ({
        ...(readReport(text) as EndEvent | ProgressEvent),
        ...{ cursor, atMs: Number.parseInt(cursor, 10) },
      }))
    } catch (error) {
      if (error instanceof TimeoutError || error instanceof ConnectionError) return []
      throw error
    }
  }

  /** Tells what is to be told, once more, and ends those who follow. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#sending
  }
}
