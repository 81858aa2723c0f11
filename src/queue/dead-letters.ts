import { checkBoolean, checkFunction, checkInteger, checkKnown, isChosen } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { type Envelope, readEnvelope } from '../stream/envelope.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import { listDeadScript, purgeDeadScript, redriveScript } from '../stream/lua.generated.ts'
import type { DeadReason, JobFailure } from './events.ts'
import { readFailure } from './failure.ts'
import type { Payloads } from './payload.ts'
import type { Postings } from './postings.ts'

/** A job that nobody runs any more. */
export interface DeadLetter<T = unknown> {
  readonly id: string
  /** As it was added; undefined where it cannot be read, which `reason` says. */
  readonly data: T
  readonly reason: DeadReason
  /** What its last attempt threw; undefined after a crash. */
  readonly error: JobFailure | undefined
  /** How often it was tried. */
  readonly attempts: number
  readonly priority: number
  /** When it was added and when it died, in ms of the server's clock. */
  readonly addedAtMs: number | undefined
  readonly diedAtMs: number
}

export interface DeadLettersOptions<T = unknown> {
  /** Most that are answered, the latest first. 1 to 10,000, default 100. */
  readonly limit?: number
  /** Which. Default: all. */
  readonly filter?: (letter: DeadLetter<T>) => boolean
}

export interface DeadSelection<T = unknown> {
  /** These alone. Default: all. */
  readonly ids?: readonly string[]
  /** Of those, which. Default: all. */
  readonly filter?: (letter: DeadLetter<T>) => boolean
}

export interface RedriveOptions<T = unknown> extends DeadSelection<T> {
  /** Say only which would be redriven. Default false. */
  readonly preview?: boolean
}

export interface RedriveResult {
  /** Ids that were redriven; with `preview`, that would be. */
  readonly ids: readonly string[]
  /** Ids that were left, since a living job has the same. */
  readonly exists: readonly string[]
  /** Of a queue with a `maxLength`: ids that were left, since it has as many jobs as that allows. */
  readonly full?: readonly string[]
}

/** Letters of one call. */
const PAGE = 200

/** The dead letters of a queue: seen, given another life, or forgotten. */
export class DeadLetters<T> {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #payloads: Payloads
  readonly #postings: Postings

  constructor(redis: Redis, layouts: readonly Layout[], payloads: Payloads, postings: Postings) {
    this.#postings = postings
    this.#redis = redis
    this.#layouts = layouts
    this.#payloads = payloads
  }

  async list(options: DeadLettersOptions<T> = {}): Promise<DeadLetter<T>[]> {
    checkKnown('options', options, ['limit', 'filter'])
    const limit = checkInteger('limit', options.limit ?? 100, 1, 10_000)
    const filter = checkFunction('filter', options.filter)
    const found = await Promise.all(
      this.#layouts.map(async (layout) => {
        const letters: DeadLetter<T>[] = []
        for await (const letter of this.#each(layout, filter === undefined ? limit : PAGE)) {
          if (isChosen(filter, letter)) letters.push(letter)
          if (letters.length === limit) break
        }
        return letters
      }),
    )
    return found
      .flat()
      .sort((a, b) => b.diedAtMs - a.diedAtMs)
      .slice(0, limit)
  }

  async redrive(options: RedriveOptions<T> = {}): Promise<RedriveResult> {
    checkKnown('options', options, ['ids', 'filter', 'preview'])
    const { preview = false } = options
    checkBoolean('preview', preview)
    const ids: string[] = []
    const exists: string[] = []
    const full: string[] = []
    for (const layout of this.#layouts) {
      const selected = await this.#select(layout, options, ['ids', 'filter', 'preview'])
      if (preview) ids.push(...selected)
      else
        for (let at = 0; at < selected.length; at += PAGE) {
          const some = selected.slice(at, at + PAGE)
          const left = await this.#redriveSome(layout, some)
          exists.push(...left.exists)
          full.push(...left.full)
          const all = new Set([...left.exists, ...left.full])
          ids.push(...some.filter((id) => !all.has(id)))
        }
    }
    return this.#postings.lengthMost === 0 ? { ids, exists } : { ids, exists, full }
  }

  async purge(options: DeadSelection<T> = {}): Promise<number> {
    let count = 0
    for (const layout of this.#layouts) {
      const { dead, deadBodies } = layout.keys
      const selected = await this.#select(layout, options, ['ids', 'filter'])
      for (let at = 0; at < selected.length; at += PAGE) {
        const args = { ids: selected.slice(at, at + PAGE) }
        const options = { operation: 'queue.purge', repeat: true }
        count += (await purgeDeadScript.run(this.#redis, { dead, deadBodies }, args, options))[1]
      }
    }
    return count
  }

  async #redriveSome(
    layout: Layout,
    ids: readonly string[],
  ): Promise<Required<Pick<RedriveResult, 'exists' | 'full'>>> {
    for (;;) {
      const { state, dead, deadBodies, bodies, ids: named, idle, wake, delayed } = layout.keys
      const keys = { state, dead, deadBodies, bodies, ids: named, idle, wake, delayed, lanes: layout.all }
      const channel = bellPrefix(this.#redis.keyspace)
      const { groupMost: group, lengthMost: length } = this.#postings
      const args = { layout: layout.text, channel, group, length, ids }
      // A repeat finds those that it has redriven dead no more; of named ones it may say that they exist, which is so.
      const reply = await redriveScript.run(this.#redis, keys, args, { operation: 'queue.redrive', repeat: true })
      if (reply[0] === 'layout') {
        layout.learn(reply[1])
        continue
      }
      const [, exists, ...left] = reply
      return { exists: left.slice(0, exists), full: left.slice(exists) }
    }
  }

  /** The ids that are meant, and that are dead: they were all looked at before any is changed. */
  async #select(layout: Layout, selection: DeadSelection<T>, known: readonly string[]): Promise<readonly string[]> {
    checkKnown('options', selection, known)
    const filter = checkFunction('filter', selection.filter)
    const { ids } = selection
    if (ids !== undefined && (!Array.isArray(ids) || ids.some((id) => typeof id !== 'string')))
      throw new ConfigError('ids', 'a list of ids', ids)
    const wanted = ids === undefined ? undefined : new Set(ids)
    const selected: string[] = []
    for await (const letter of this.#each(layout, PAGE))
      if ((wanted?.has(letter.id) ?? true) && isChosen(filter, letter)) selected.push(letter.id)
    // As they died: what failed together begins again in its order, that of a group above all.
    return selected.reverse()
  }

  async *#each(layout: Layout, page: number): AsyncGenerator<DeadLetter<T>> {
    const { dead, deadBodies } = layout.keys
    // Others die meanwhile and push the rest down: none is shown twice.
    const seen = new Set<string>()
    for (let from = 0; ; ) {
      const options = { operation: 'queue.deadLetters', repeat: true }
      const args = { from, count: Math.min(page, 1_000) }
      const [, next, ...rows] = await listDeadScript.run(this.#redis, { dead, deadBodies }, args, options)
      for (let i = 0; i < rows.length; i += 3) {
        const id = String(rows[i])
        if (seen.has(id)) continue
        seen.add(id)
        yield this.#read(id, Math.floor(Number(rows[i + 1])), rows[i + 2] as Buffer)
      }
      if (next === 0) return
      from = next
    }
  }

  #read(id: string, diedAtMs: number, body: Buffer): DeadLetter<T> {
    const start = 1 + (body[0] as number)
    const reason = body.toString('latin1', 1, start) as DeadReason
    const end = start + 7 + Number(body.toString('latin1', start, start + 7))
    const error = readFailure(body.toString('utf8', start + 7, end))
    const envelope = readEnvelope(body, end, body.length)
    const { used: attempts, priority, addedAtMs } = envelope
    return { id, data: this.#data(envelope) as T, reason, error, attempts, priority, addedAtMs, diedAtMs }
  }

  #data(envelope: Envelope): unknown {
    try {
      return this.#payloads.read(envelope)
    } catch {
      return undefined
    }
  }
}
