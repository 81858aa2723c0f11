import { checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { Redis } from '../redis/redis.ts'
import { parseInfo } from '../redis/server.ts'
import { resolveSettings } from '../redis/settings.ts'
import { Keeper } from './keeper.ts'
import { lockKey } from './keys.ts'
import { checkLockName, checkLockOptions, type LockOptions } from './options.ts'
import { QuorumLock } from './quorum-lock.ts'
import { QuorumResource } from './quorum-resource.ts'

export interface QuorumOptions {
  /** How long one server may take to answer before it counts as away. Default `'200ms'`. */
  readonly serverTimeout?: Duration
}

/**
 * Locks on several servers that know nothing of each other (Redlock): held while more than half of them say so, so that the loss of
 * fewer loses no lock.
 *
 * promise  one holder while clocks run at the same pace to within a hundredth, no server forgets (it keeps a file with `appendfsync
 *          always`, or stays away for a ttl after a restart), and processes heed their signal. No fence: nothing orders the holders.
 */
export class Quorum implements AsyncDisposable {
  readonly #servers: readonly Redis[]
  readonly #keeper: Keeper
  readonly #serverTimeoutMs: number
  /** Which server each address has turned out to be. */
  readonly #runs = new Map<Redis, string>()

  /** @internal */
  constructor(urls: readonly string[], namespace: string, options: QuorumOptions = {}) {
    checkKnown('', options, ['serverTimeout'])
    if (!Array.isArray(urls) || urls.length < 3 || new Set(urls).size !== urls.length)
      throw new ConfigError('urls', 'the addresses of at least 3 servers that know nothing of each other', urls)
    this.#serverTimeoutMs = toMs(options.serverTimeout ?? '200ms', 'serverTimeout')
    const timeout = this.#serverTimeoutMs
    this.#servers = urls.map((url) => new Redis(resolveSettings(url, { namespace, timeout, lazy: true })))
    this.#keeper = new Keeper(timeout)
  }

  lock(name: string, options?: LockOptions): QuorumLock {
    const checked = checkLockOptions(options)
    const [first] = this.#servers as [Redis]
    const key = lockKey(first.keyspace, 'quorum', checkLockName(name))
    const resource = new QuorumResource(this.#servers, key, name, this.#serverTimeoutMs)
    return new QuorumLock(resource, this.#keeper, checked, {
      identify: () => this.#identify(),
      checkApart: () => this.#checkApart(),
    })
  }

  /**
   * Two addresses of one server would be two votes of one. Each is asked once who it is, before its first vote on the same connection,
   * so that it is known by the time that it has voted.
   */
  #identify(): void {
    for (const redis of this.#servers) {
      if (this.#runs.has(redis)) continue
      const options = { operation: 'quorum', repeat: true }
      redis.call(redis.keyspace.entity('quorum', ''), 'INFO', ['server'], options).then(
        (info) => this.#runs.set(redis, parseInfo(String(info)).get('run_id') ?? redis.address),
        () => {},
      )
    }
  }

  #checkApart(): void {
    if (new Set(this.#runs.values()).size < this.#runs.size)
      throw new ConfigError('urls', 'servers that know nothing of each other', 'two addresses of one server')
  }

  /** Closes the connections; what is held is renewed no more, and its signals fire in time. */
  async close(): Promise<void> {
    this.#keeper.close()
    await Promise.all(this.#servers.map((redis) => redis.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
