import { HoldfastError } from '../../base/errors.ts'
import { scanKeys } from '../../redis/scan.ts'
import type { Placement } from '../../redis/shards/layout.ts'
import { type Carried, pull } from '../../redis/shards/pull.ts'
import type { ShardServer, ShardServers } from './servers.ts'

/** Lots of keys under way at once, for each shard that gives. */
const LOTS = 4
const MOST_KEYS = 64
const BIG_BYTES = 1 << 20
const MOST_BIG = 100

/** Brings all keys that move from the shards where they are to those where they belong. */
export class Sweep {
  keys = 0
  bytes = 0
  readonly bigKeys: Carried[] = []
  readonly #servers: ShardServers
  readonly #placement: Placement
  readonly #reached: readonly ShardServer[]
  readonly #signal: AbortSignal | undefined
  readonly #onMoved: (keys: number, bytes: number) => void

  constructor(
    servers: ShardServers,
    placement: Placement,
    reached: readonly ShardServer[],
    signal: AbortSignal | undefined,
    onMoved: (keys: number, bytes: number) => void,
  ) {
    this.#servers = servers
    this.#placement = placement
    this.#reached = reached
    this.#signal = signal
    this.#onMoved = onMoved
  }

  /**
   * Until nothing is left. The order is the point: nobody puts a key on its old shard any more, so a whole scan that finds none says that
   * none is there under its own name; from then on none can be put aside either, and a whole scan for those that are aside says the rest.
   */
  async run(): Promise<void> {
    const { layout } = this.#placement
    const { keys } = this.#servers
    const givers = this.#reached.filter(({ name }) => layout.shards.some((shard) => shard.name === name))
    await Promise.all(
      givers.map(async (server) => {
        const isToMove = (key: string) =>
          keys.isOwn(key) && this.#placement.now(key) === server.name && this.#placement.isAffected(key)
        while ((await this.#pass(server, keys.all, (found) => found.filter(isToMove))) > 0);
        const aside = keys.parkedIn(layout.version)
        const toKeys = (found: readonly string[]) => found.map((name) => keys.keyOf(name, layout.version))
        while ((await this.#pass(server, aside, toKeys)) > 0);
      }),
    )
  }

  /** One scan of a server; answers how many keys it found to be moved. */
  async #pass(
    server: ShardServer,
    pattern: string,
    choose: (found: readonly string[]) => readonly string[],
  ): Promise<number> {
    const underWay = new Set<Promise<void>>()
    let found = 0
    let failure: { readonly error: unknown } | undefined
    const byTaker = new Map<string, string[]>()
    const send = async (taker: string, lot: readonly string[]): Promise<void> => {
      const work: Promise<void> = this.#bring(server, taker, lot)
        .catch((error) => {
          failure ??= { error }
        })
        .finally(() => underWay.delete(work))
      underWay.add(work)
      if (underWay.size >= LOTS) await Promise.race(underWay)
    }
    for await (const names of scanKeys(server.node, pattern, 'shards.sweep')) {
      this.#signal?.throwIfAborted()
      if (failure !== undefined) break
      for (const key of choose(names)) {
        found++
        const taker = this.#placement.next(key)
        const lot = byTaker.get(taker) ?? []
        lot.push(key)
        byTaker.set(taker, lot)
        if (lot.length < MOST_KEYS) continue
        byTaker.delete(taker)
        await send(taker, lot)
      }
    }
    for (const [taker, lot] of byTaker) await send(taker, lot)
    await Promise.all(underWay)
    if (failure !== undefined) throw failure.error
    return found
  }

  async #bring(from: ShardServer, taker: string, lot: readonly string[]): Promise<void> {
    const to = this.#reached.find(({ name }) => name === taker)
    const { keys, timeoutMs } = this.#servers
    const { version } = this.#placement.layout
    const carried =
      to === undefined
        ? undefined
        : await pull({ keys, version, from: from.node, to: to.node, operation: 'shards.move', timeoutMs }, lot)
    if (carried === undefined)
      throw new HoldfastError('CHANGE_UNFINISHED', 'shards: another mover has taken over, or ended the move')
    for (const one of carried) {
      this.keys++
      this.bytes += one.bytes
      if (one.bytes > BIG_BYTES && this.bigKeys.length < MOST_BIG) this.bigKeys.push(one)
    }
    this.#onMoved(this.keys, this.bytes)
  }
}
