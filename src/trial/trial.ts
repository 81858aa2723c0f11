import { HoldfastError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { type ConnectOptions, connect, Holdfast } from '../holdfast.ts'
import { resolveSettings } from '../redis/settings.ts'
import { holdsKeys, removeNamespace } from '../redis/sweep.ts'
import type { PlaceSettings } from '../redis/url.ts'
import { independentServers } from './independent.ts'

export interface TrialOptions {
  /** What the trial is, such as `verify`: for errors, and what the name of its namespace begins with. */
  readonly purpose: string
  /** Where the servers are. */
  readonly connect: Omit<ConnectOptions, 'namespace' | 'lazy'>
  /** One that nobody uses, and that is empty. Default `<purpose>-` and something that no other has. */
  readonly namespace?: string | undefined
  /** Single servers that it uses beside. Default those of shards. */
  readonly servers?: readonly string[] | undefined
}

/** What was removed at the end. */
export interface Removal {
  /** Keys that were there. */
  readonly removed: number
  /** Why keys may be left in the namespace; undefined where none are. */
  readonly left: HoldfastError | undefined
}

/**
 * A time on servers that belong to somebody, in a namespace of its own, which is removed when it is over. Nothing else of the servers is
 * touched.
 */
export class Trial {
  readonly namespace: string
  /** Single servers that it uses beside. */
  readonly servers: readonly string[]
  readonly #options: TrialOptions

  private constructor(options: TrialOptions) {
    this.#options = options
    this.namespace = options.namespace ?? `${options.purpose}-${randomId(10)}`
    this.servers = options.servers ?? independentServers(options.connect)
  }

  /**
   * Begins.
   *
   * throws  CHANGE_REFUSED where the namespace that was given has keys; what `connect` throws
   */
  static async begin(options: TrialOptions): Promise<Trial> {
    const trial = new Trial(options)
    if (options.namespace !== undefined) await trial.#refuseUnlessEmpty()
    return trial
  }

  /** Where keys live: `single`, `sentinel`, `cluster` or `shards`. */
  get topology(): PlaceSettings['kind'] {
    return resolveSettings(undefined, this.#options.connect).place.kind
  }

  /** An instance in the namespace. */
  open(): Promise<Holdfast> {
    return connect({ ...this.#options.connect, namespace: this.namespace })
  }

  async #refuseUnlessEmpty(): Promise<void> {
    const { purpose } = this.#options
    const looking = await this.open()
    try {
      if (!(await holdsKeys(Holdfast.redisOf(looking), purpose))) return
    } finally {
      await looking.close()
    }
    const why = `the namespace '${this.namespace}' is in use, and all in it would be removed at the end`
    throw new HoldfastError('CHANGE_REFUSED', `${purpose}: ${why}`)
  }

  /** Removes the namespace, once every instance in it is closed: what they write as they close is there by then. */
  async end(): Promise<Removal> {
    const all = await this.#removeBy(() => this.open())
    // Shards again, one by one: a list of them is written anew by whoever misses it, as the one before did.
    const { url: _url, client: _client, addressMap: _addressMap, ...rest } = this.#options.connect as ConnectOptions
    const single = [...new Set([...this.servers, ...independentServers(this.#options.connect)])]
    const each = await Promise.all(
      single.map((url) => this.#removeBy(() => connect({ ...rest, url, namespace: this.namespace }))),
    )
    const left = [all, ...each].find((one) => one.left !== undefined)?.left
    return { removed: [all, ...each].reduce((sum, { removed }) => sum + removed, 0), left }
  }

  async #removeBy(open: () => Promise<Holdfast>): Promise<Removal> {
    try {
      const broom = await open()
      try {
        return { removed: await removeNamespace(Holdfast.redisOf(broom), this.#options.purpose), left: undefined }
      } finally {
        await broom.close()
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      return { removed: 0, left: error }
    }
  }
}
