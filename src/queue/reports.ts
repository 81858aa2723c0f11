import { decode, encode } from '../base/codec.ts'
import { ConfigError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Layout } from '../stream/layout.ts'
import type { ProgressEvent, Tell } from './events.ts'
import { shardOf } from './keys.ts'
import { reportScript } from './lua.generated.ts'
import { outcomeChannel } from './notices.ts'

/** It is read by people and bars. */
const LONGEST = 4_096
const KEEP_MS = 3_600_000

/** Whose it is. */
interface Teller {
  readonly id: string
  readonly group: string | undefined
}

/** What handlers say of how far they are. */
export class Reports {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #tell: Tell<ProgressEvent>
  /** Of jobs whose last report is under way: the next, if there is one. */
  readonly #next = new Map<string, string | undefined>()

  /** `tell`: told of what was said; undefined where nobody wants to know. */
  constructor(redis: Redis, layouts: readonly Layout[], tell: Tell<ProgressEvent>) {
    this.#redis = redis
    this.#tell = tell
    this.#layouts = layouts
  }

  /** The latest is told, one call at a time. Throws ConfigError for what is too large. */
  say(job: Teller, value: unknown): void {
    const text = writeReport(value, LONGEST, 'progress')
    if (this.#next.has(job.id)) return void this.#next.set(job.id, text)
    this.#next.set(job.id, undefined)
    void this.#sayAll(job, text)
  }

  async #sayAll(job: Teller, first: string): Promise<void> {
    for (let text: string | undefined = first; text !== undefined; ) {
      // The next one says more.
      await this.#send(job, text).catch(() => {})
      text = this.#next.get(job.id)
      this.#next.set(job.id, undefined)
    }
    this.#next.delete(job.id)
  }

  /** Resolves when it is told. Throws at once what `say` throws; that Redis was away hears only who waits for it. */
  tell(job: Teller, value: unknown): Promise<void> {
    const told = this.#send(job, writeReport(value, LONGEST, 'progress'))
    told.catch(() => {})
    return told
  }

  async #send(job: Teller, value: string): Promise<void> {
    const args = { keepMs: KEEP_MS, value, channel: outcomeChannel(this.#redis, this.#layouts, job.id) }
    const keys = { progress: this.#layoutOf(job).keys.progress(job.id) }
    // Before the call, not after it: the end of a handler that waits for no answer would be told first.
    this.#tell?.({ type: 'progress', id: job.id, value: readReport(value) })
    await reportScript.run(this.#redis, keys, args, { operation: 'queue.progress', repeat: true })
  }

  /** Tells those who wait for a job that it is dead; one who does not hear of it looks by himself. */
  dead(job: Teller): void {
    const channel = outcomeChannel(this.#redis, this.#layouts, job.id)
    const options = { operation: 'queue.dead', repeat: true }
    this.#redis.call(this.#layoutOf(job).keys.state, 'PUBLISH', [channel, 'ended'], options).catch(() => {})
  }

  #layoutOf({ id, group }: Teller): Layout {
    return this.#layouts[shardOf(group ?? id, this.#layouts.length)] as Layout
  }
}

/** A value as text; throws ConfigError for more than `most` bytes. */
export function writeReport(value: unknown, most: number, option: string): string {
  const { json, types } = encode(value)
  const text = `${types.length} ${types}${json}`
  if (Buffer.byteLength(text) > most) throw new ConfigError(option, `at most ${most} bytes of JSON`, text)
  return text
}

/** What was reported, or came of a job; undefined for nothing. */
export function readReport(bytes: Buffer | string): unknown {
  if (bytes.length === 0) return undefined
  const [, length = '0', rest = ''] = /^(\d+) (.*)$/s.exec(String(bytes)) ?? []
  return decode(rest.slice(Number(length)), rest.slice(0, Number(length)))
}

/** What a job's handler last told of it. A job of a group is where its group is. */
export async function readProgress(redis: Redis, layouts: readonly Layout[], id: string): Promise<unknown> {
  if (typeof id !== 'string') throw new ConfigError('id', 'the id of a job', id)
  const options = { operation: 'queue.progress', repeat: true }
  const keys = layouts.map((layout) => layout.keys.progress(id))
  const told = await Promise.all(keys.map((key) => redis.call(key, 'GET', [key], options)))
  const text = told.find((one) => one !== null)
  return text === undefined ? undefined : readReport(String(text))
}
