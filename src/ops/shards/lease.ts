import { randomId } from '../../base/id.ts'
import { CLAIM, runOn } from '../../redis/shards/scripts.ts'
import { ShardsRefusedError } from './errors.ts'
import type { ShardServer, ShardServers } from './servers.ts'

/** A mover that died leaves the way free for the next one after this. */
const LEASE_MS = 4_000
const RENEW_MS = 800

/**
 * The right to move, on every shard that takes part: of two movers one gets none. Every list that a mover writes carries its token, and is
 * refused where another has it by then.
 */
export class MoverLease {
  readonly token = randomId()
  readonly #servers: ShardServers
  readonly #held: ShardServer[] = []
  #renewing: NodeJS.Timeout | undefined

  constructor(servers: ShardServers) {
    this.#servers = servers
  }

  /** In the order of the names, so that of two who want them all, one gets the first. */
  async claim(servers: readonly ShardServer[]): Promise<void> {
    for (const server of [...servers].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if ((await this.#ask(server, LEASE_MS)) !== 1) {
        await this.release()
        throw new ShardsRefusedError('busy', [server.name], `another mover is at work on ${server.name}`)
      }
      this.#held.push(server)
    }
    this.#renewing = setInterval(() => {
      // A renewal that fails shows when the next list is written.
      for (const server of this.#held) this.#ask(server, LEASE_MS).catch(() => {})
    }, RENEW_MS).unref()
  }

  #ask({ node }: ShardServer, lengthMs: number): Promise<unknown> {
    const { keys } = this.#servers
    return runOn(node, CLAIM, [keys.mover], [this.token, lengthMs], { operation: 'shards.claim', repeat: true })
  }

  async release(): Promise<void> {
    clearInterval(this.#renewing)
    await Promise.allSettled(this.#held.splice(0).map((server) => this.#ask(server, 0)))
  }
}
