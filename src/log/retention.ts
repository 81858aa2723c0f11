import { monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import { LeaseKeeper, releaseLeases, TOKEN_LENGTH } from '../lease/lease.ts'
import { Loop } from '../loop/loop.ts'
import type { Redis } from '../redis/redis.ts'
import { type LogEntry, toEntry } from './entry.ts'
import type { LogKeys } from './keys.ts'
import { trimScript } from './lua.generated.ts'
import type { ResolvedLogOptions } from './options.ts'

const ARCHIVE_LEASE_MS = 10_000
const PARTS = 6

/** Removes what may go, now and then; with an archive, what that has taken, by one process of the fleet at a time. */
export class Retention {
  readonly #redis: Redis
  readonly #keys: LogKeys
  readonly #name: string
  readonly #options: ResolvedLogOptions
  readonly #keeper: LeaseKeeper
  readonly #loop: Loop | undefined

  constructor(redis: Redis, keys: LogKeys, name: string, options: ResolvedLogOptions) {
    this.#redis = redis
    this.#keys = keys
    this.#name = name
    this.#options = options
    this.#keeper = new LeaseKeeper(redis, ARCHIVE_LEASE_MS, 'log.archive')
    if (options.maxAgeMs < 0 && options.maxLength < 0) return
    const turn = async () => void (await this.trim())
    this.#loop = new Loop(turn, { every: options.everyMs, onError: (error) => this.#warn(error) }).start()
  }

  #warn(error: unknown): void {
    // Redis away is no news, and the next turn tries again.
    if ((error as { retryable?: boolean }).retryable === true || this.#options.archive === undefined) return
    process.emitWarning(`holdfast: the archive of the log '${this.#name}' failed, and nothing was trimmed: ${error}`, {
      code: 'HOLDFAST_ARCHIVE',
    })
  }

  /** Answers how many entries went. Throws the error of the archive: then what it was given stays. */
  async trim(): Promise<number> {
    return this.#options.archive === undefined ? this.#remove('') : this.#archive(this.#options.archive)
  }

  async #remove(upTo: string): Promise<number> {
    for (let removed = 0; ; ) {
      const reply = await this.#call(upTo, '0')
      if (reply[0] !== 'trimmed') return removed
      removed += reply[1]
      if (reply[2] === 0) return removed
    }
  }

  async #archive(archive: (entries: readonly LogEntry<never>[]) => unknown): Promise<number> {
    const { archiver } = this.#keys
    const token = randomId(TOKEN_LENGTH)
    const askedMs = monotonicMs()
    const options = { operation: 'log.archive', repeat: true } as const
    const args = [archiver, token, 'NX', 'GET', 'PX', ARCHIVE_LEASE_MS]
    const other = await this.#redis.call(archiver, 'SET', args, options)
    // Its own token: the answer to a first try was lost on the way.
    if (other !== null && other !== token) return 0
    const held = this.#keeper.hold([archiver], token, askedMs)
    try {
      for (let removed = 0; ; ) {
        const [word, ...rest] = await this.#call('', '1')
        const due = rest as readonly string[]
        if (word !== 'due' || due.length === 0) return removed
        const entries: LogEntry<unknown>[] = []
        for (let i = 0; i < due.length; i += PARTS) {
          const [id = '', number = '', json = '', types = '', key = '', group] = due.slice(i, i + PARTS)
          // What was redriven to one group was archived when it was appended.
          if (group === '') entries.push(toEntry(id, number, json, types, key))
        }
        if (entries.length > 0) await archive(entries as never[])
        removed += await this.#remove(due[due.length - PARTS] as string)
      }
    } finally {
      this.#keeper.letGo(held)
      await releaseLeases(this.#redis, [archiver], token, '', 'log.archive').catch(() => {})
    }
  }

  #call(upTo: string, list: '0' | '1') {
    const { entries, state } = this.#keys
    const { maxAgeMs: ageMs, maxLength: length } = this.#options
    return trimScript.run(
      this.#redis,
      { entries, state },
      { ageMs, length, upTo, list },
      { operation: 'log.trim', repeat: true },
    )
  }

  async close(): Promise<void> {
    await this.#loop?.stop()
    this.#keeper.stop()
  }
}
