import { checkInteger, checkKnown, checkName } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import type { AddOptions } from './options.ts'

/** What came of adding a job. */
export interface AddedJob {
  readonly id: string
  /** False when a job with this id exists already: nothing was added. */
  readonly added: boolean
  /** True where it was added in the place of one of its `id`, by `replace`. */
  readonly replaced?: boolean
  /**
   * Where a `durability` was asked for: true when it has been reached; false when it was not in time, or cannot be. Of a job that exists already
   * it says the same. Adding again under the same `id` waits again.
   */
  readonly durable?: boolean
}

/** Where a job that follows may go. */
export interface FollowUpTarget {
  readonly name: string
  add(data: never, options?: AddOptions): Promise<AddedJob>
}

export interface FollowOptions extends Omit<AddOptions, 'at' | 'durability' | 'keepId' | 'replace'> {
  /** Another queue of this process. Default: this one. */
  readonly queue?: FollowUpTarget
}

export interface FollowUp {
  readonly data: unknown
  readonly options: AddOptions
  readonly queue: FollowUpTarget | undefined
}

const FOLLOW = ['id', 'delay', 'priority', 'group', 'attempts', 'timeout', 'backoff', 'keepResult', 'expiresIn']
/** More would make one script long. */
const MOST = 100

/** What is to be so once an attempt has succeeded, and not before. */
export class Effects {
  readonly followUps: FollowUp[] = []
  readonly tallies = new Map<string, number>()

  follow(data: unknown, where: FollowOptions = {}): void {
    checkKnown('options', where, [...FOLLOW, 'queue', 'at'])
    const { queue, ...options } = where
    if ('at' in options) throw new ConfigError('at', '`delay`', (options as AddOptions).at)
    if (queue !== undefined && typeof (queue as Partial<FollowUpTarget> | null)?.add !== 'function')
      throw new ConfigError('queue', 'a queue of this process', queue)
    if (this.followUps.length === MOST)
      throw new ConfigError('follow', `at most ${MOST} jobs that follow one`, MOST + 1)
    this.followUps.push({ data, options, queue })
  }

  tally(name: string, by = 1): void {
    checkName('name', name)
    checkInteger('by', by, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    if (!this.tallies.has(name) && this.tallies.size === MOST)
      throw new ConfigError('tally', `at most ${MOST} names of one job`, MOST + 1)
    this.tallies.set(name, (this.tallies.get(name) ?? 0) + by)
  }
}
