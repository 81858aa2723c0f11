import { monotonicMs } from '../base/clock.ts'
import { decode, type Encoded } from '../base/codec.ts'
import { ConnectionError, type HoldfastError, TimeoutError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import type { Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import { readValue, type Seen } from './inspect.ts'
import { type ValueKeys, valueKeys } from './keys.ts'
import { removeScript, writeScript } from './lua.generated.ts'
import { valueRights } from './rights.ts'
import { Turns } from './turns.ts'

/** The version of a value that nobody has written. */
export const NEVER = ''
/** In place of a version: whichever it is. */
export const ANY = '*'
const GRAVE_MS = 600_000

export interface Writing {
  readonly base: string
  readonly content: Encoded
  readonly ttlMs: number
  readonly log: { readonly entry: Encoded; readonly keep: number } | undefined
}

/** The values of one instance on the wire, each verb one round trip, and safe to repeat. */
export class ValueStore {
  readonly redis: Redis
  readonly turns = new Turns()
  #vetted = false

  constructor(redis: Redis) {
    this.redis = redis
  }

  keysOf(name: string): ValueKeys {
    return valueKeys(this.redis.keyspace, name)
  }

  read(keys: ValueKeys, operation: string): Promise<Seen> {
    this.#vet(keys)
    return readValue(this.redis, keys, operation)
  }

  /** Writes, if the value is still of the version `base`. Otherwise answers what it is now; undefined once written. */
  async write(keys: ValueKeys, { base, content, ttlMs, log }: Writing, operation: string): Promise<Seen | undefined> {
    this.#vet(keys)
    const args = {
      ...{ token: randomId(12), base, json: content.json, types: content.types, ttlMs, keep: log?.keep ?? 0 },
      ...{ entry: log?.entry.json ?? '', entryTypes: log?.entry.types ?? '' },
    }
    const reply = await this.#surely(operation, (again, options) =>
      writeScript.run(this.redis, keys, { ...args, again }, options),
    )
    if (reply[0] !== 'conflict') return undefined
    const [, json, types, version] = reply
    // Nil where there is no value, though the type of a script's reply has no word for it.
    return { content: json === null ? undefined : decode(json, types), version }
  }

  async remove(keys: ValueKeys, operation: string): Promise<void> {
    this.#vet(keys)
    const token = randomId(12)
    await this.#surely(operation, (again, options) =>
      removeScript.run(this.redis, keys, { token, again, graveMs: GRAVE_MS }, options),
    )
  }

  /**
   * Carries a write out once: after a lost answer it is sent again, until the deadline, and the server knows by its token whether
   * it was done. Where it cannot know any more, the error of the lost answer stands, with `sent: true`.
   */
  async #surely<R extends readonly [string, ...unknown[]]>(
    operation: string,
    send: (again: '0' | '1', options: ScriptOptions) => Promise<R>,
  ): Promise<R> {
    const startMs = monotonicMs()
    let lost: HoldfastError | undefined
    for (;;) {
      const leftMs = Math.max(1, Math.ceil(startMs + this.redis.timeoutMs - monotonicMs()))
      const options =
        lost === undefined ? firstOf(operation) : ({ operation, repeat: false, timeoutMs: leftMs } as const)
      try {
        const reply = await send(lost === undefined ? '0' : '1', options)
        if (reply[0] === 'doubtful' && lost !== undefined) throw lost
        return reply
      } catch (error) {
        if (error === lost) throw error
        if (!(error instanceof ConnectionError && error.code === 'CONNECTION_LOST' && error.sent))
          throw lost === undefined ? error : this.#asSent(operation, error)
        lost = error
        if (monotonicMs() - startMs >= this.redis.timeoutMs) throw error
      }
    }
  }

  /** What a later attempt says of itself is not true of the whole: the first was sent. */
  #asSent(operation: string, error: unknown): unknown {
    if (error instanceof TimeoutError) return new TimeoutError(operation, this.redis.timeoutMs, true, error)
    if (error instanceof ConnectionError && error.code === 'CONNECTION_LOST')
      return new ConnectionError('CONNECTION_LOST', operation, 'its effect may exist', { sent: true, cause: error })
    return error
  }

  #vet(keys: ValueKeys): void {
    if (this.#vetted) return
    this.#vetted = true
    this.redis.vet('value', 'state', valueRights(this.redis.keyspace), keys.value, '').catch(() => {})
  }
}

const firsts = new Map<string, ScriptOptions>()
/** The options of a first attempt: the same object each time, which scripts complete once. */
function firstOf(operation: string): ScriptOptions {
  const known = firsts.get(operation) ?? { operation, repeat: false }
  firsts.set(operation, known)
  return known
}
