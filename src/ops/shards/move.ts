import { monotonicMs, sleep } from '../../base/clock.ts'
import { HoldfastError } from '../../base/errors.ts'
import {
  decodeLayout,
  encodeLayout,
  firstLayout,
  isNewer,
  type Layout,
  namesOf,
  type Phase,
  Placement,
  SETTLE_MS,
  sameNames,
  shardsOf,
  showList,
} from '../../redis/shards/layout.ts'
import { RAISE, runOn } from '../../redis/shards/scripts.ts'
import type { Reply } from '../../redis/wire.ts'
import { countMove } from './count.ts'
import { ShardsRefusedError, ShardsUnfinishedError } from './errors.ts'
import { MoverLease } from './lease.ts'
import type { ShardMoveProgress, ShardOptions } from './options.ts'
import { countAll } from './plan.ts'
import { type ShardServer, ShardServers } from './servers.ts'
import { Sweep } from './sweep.ts'

/** What a move did. */
export interface ShardMoveReport {
  readonly namespace: string
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** `moved`; or `same` when the list was that of `to` already and nothing was done. */
  readonly status: 'moved' | 'same'
  /** True when this run went on with a move that another had begun. */
  readonly resumed: boolean
  /** Keys that this run moved; callers moved others themselves. */
  readonly keys: number
  /** Bytes of their values, as serialized. */
  readonly bytes: number
  /** Keys with more than 1 MiB, at most 100: each holds up both servers while it is written and read. */
  readonly bigKeys: readonly { readonly key: string; readonly bytes: number }[]
  /** Shards whose keys are lost, because they did not answer and `force` was given. */
  readonly lost: readonly string[]
  /** Keys removed because of `force`: from shards that were added, and strays. */
  readonly removed: number
  readonly tookMs: number
}

/** A server that takes so long for a PING may have calls before it that are older than we think. */
const SLOW_MS = 150
const LOOK_MS = 25

/**
 * Moves a namespace to another list of shards while it is in use: adds shards, removes shards, or both. Callers go on; for about half
 * a second at the beginning those wait whose keys will move. Run again with the same `to`, it goes on where another run stopped.
 *
 * throws  ConfigError; CHANGE_REFUSED, with `reason`, when nothing was begun; CHANGE_UNFINISHED when it stopped on its way; `signal.reason`
 */
export async function moveShards(options: ShardOptions): Promise<ShardMoveReport> {
  const servers = new ShardServers(options)
  const move = new Move(servers, options)
  try {
    return await move.run()
  } finally {
    await move.end()
    await servers.close()
  }
}

/** The next step of a move. */
function step(
  layout: Layout,
  phase: Exclude<Phase, 'stable'>,
  next: Layout['shards'],
  lost: readonly string[],
): Layout {
  const { origin, version, revision, shards } = layout
  const all = { origin, version: version + 1, revision, phase, shards, next }
  return lost.length === 0 ? all : { ...all, lost }
}

class Move {
  readonly #servers: ShardServers
  readonly #options: ShardOptions
  readonly #lease: MoverLease
  readonly #startedMs = monotonicMs()
  #reached: readonly ShardServer[] = []
  #progress: ShardMoveProgress = { step: 'scan', keys: 0, keysInAll: 0, bytes: 0 }

  constructor(servers: ShardServers, options: ShardOptions) {
    this.#servers = servers
    this.#options = options
    this.#lease = new MoverLease(servers)
  }

  async run(): Promise<ShardMoveReport> {
    const { wanted } = this.#servers
    const known = await this.#servers.readLayout()
    this.#options.signal?.throwIfAborted()
    if (known?.phase === 'stable' && sameNames(known.shards, wanted)) return this.#report(known, 'same')
    const { lost } = await this.#meet(known ?? firstLayout(this.#servers.given, 1))
    await this.#lease.claim(this.#reached)
    // What was true before we had the right to move may not be any more.
    const layout = await this.#begin(lost)
    const from = layout
    const isResumed = layout.phase !== 'stable'
    let removed = 0
    let sweep: Sweep | undefined
    try {
      let now = layout
      if (now.phase === 'stable' || now.phase === 'announced') {
        removed = await this.#clear({ ...now, phase: 'announced', next: wanted })
        now = await this.#settle(step(now, 'announced', wanted, lost))
      }
      // A list that stands already is written again, since nobody knows on how many shards it does.
      if (now.phase === 'announced') now = await this.#settle(step(now, 'stopped', wanted, lost))
      else if (now.phase === 'stopped') now = await this.#settle(now)
      if (now.phase === 'stopped') now = step(now, 'pulling', wanted, lost)
      now = await this.#raise(now, this.#reached)
      sweep = new Sweep(this.#servers, new Placement(now), this.#reached, this.#options.signal, (keys, bytes) =>
        this.#tell({ step: 'move', keys, bytes }),
      )
      await sweep.run()
      await this.#finish(now)
    } catch (error) {
      if (this.#options.signal?.aborted || error instanceof ShardsRefusedError) throw error
      if (!(error instanceof HoldfastError)) throw error
      throw new ShardsUnfinishedError(sweep?.keys ?? 0, error.message, error)
    }
    return this.#report(from, 'moved', { resumed: isResumed, lost, removed, sweep })
  }

  /** Opens every server that takes part, and refuses those that do not answer. */
  async #meet(layout: Layout): Promise<{ readonly lost: readonly string[] }> {
    const { wanted } = this.#servers
    const all = shardsOf({ ...layout, next: wanted })
    const { servers, silent } = await this.#servers.reach(all)
    this.#reached = servers
    const needed = silent.filter((name) => wanted.some((one) => one.name === name))
    if (needed.length > 0)
      throw new ShardsRefusedError(
        'unreachable',
        needed,
        `${needed.join(', ')} would be in the list and does not answer`,
      )
    const lost = [...new Set([...(layout.lost ?? []), ...silent])]
    if (silent.length > 0 && this.#options.force !== true)
      throw new ShardsRefusedError(
        'unreachable',
        silent,
        `${silent.join(', ')} does not answer: all of its keys would be lost, how many cannot be told; force goes on without it`,
      )
    return { lost }
  }

  async #begin(lost: readonly string[]): Promise<Layout> {
    const { wanted, given } = this.#servers
    const known = await this.#servers.readLayout()
    const layout = known ?? firstLayout(given, 1)
    const { phase, next = [] } = layout
    if (phase !== 'stable' && phase !== 'announced' && !sameNames(next, wanted))
      throw new ShardsRefusedError(
        'busy',
        [],
        `a move to ${showList(next)} has begun: finish it first, by moving to ${showList(next)}`,
      )
    if (known === undefined) {
      if (lost.length > 0)
        throw new ShardsRefusedError('unrecorded', lost, 'no list is known, and not all shards of the address answer')
      const first = this.#reached.filter(({ name }) => given.some((one) => one.name === name))
      await this.#raise(layout, first)
    }
    return layout
  }

  /** Counts what will move; refuses, or with `force` removes, keys that would come to light where they do not belong. */
  async #clear(layout: Layout): Promise<number> {
    const { signal, force } = this.#options
    const tell = (keys: number) => this.#tell({ step: 'scan', keys })
    const count = await countMove(this.#servers, layout, this.#reached, signal, tell)
    this.#progress = { ...this.#progress, keys: 0, keysInAll: count.keysMoving }
    const found = [
      ['occupied', count.occupied, 'in shards that are to be added'] as const,
      ['strays', count.strays, 'where nobody looks for them now, and would be found after the move'] as const,
    ]
    let removed = 0
    for (const [reason, byServer, where] of found) {
      const keys = countAll(byServer)
      const names = [...byServer.keys()].map(({ name }) => name)
      if (keys > 0 && force !== true)
        throw new ShardsRefusedError(
          reason,
          names,
          `${keys} keys of '${this.#servers.namespace}' are ${where} (${names.join(', ')}); force removes them`,
        )
      for (const [{ node }, list] of byServer)
        for (let i = 0; i < list.length; i += 250) {
          const options = { operation: 'shards.clear', repeat: true, needs: '+unlink' }
          removed += Number(await node.call('UNLINK', list.slice(i, i + 250), options))
        }
    }
    return removed
  }

  /** Writes a step everywhere, and waits until nobody believes the one before. Answers the list that stands then. */
  async #settle(layout: Layout): Promise<Layout> {
    const stands = await this.#raise(layout, this.#reached)
    const { phase } = stands
    if (phase !== 'announced' && phase !== 'stopped') return stands
    this.#tell({ step: phase === 'announced' ? 'announce' : 'stop' })
    const waitMs = SETTLE_MS[phase]
    let sinceMs = monotonicMs()
    while (monotonicMs() - sinceMs < waitMs) {
      await sleep(LOOK_MS, this.#options.signal)
      const askedMs = monotonicMs()
      const options = { operation: 'shards.wait', repeat: true }
      await Promise.all(this.#reached.map(({ node }) => node.call('PING', [], options)))
      // It stood still: what had been sent to it meanwhile is carried out only now.
      if (monotonicMs() - askedMs > SLOW_MS) sinceMs = monotonicMs()
    }
    return stands
  }

  /** The new list: on the shards that are in it first, so that whoever learns late learns from those that go. */
  async #finish(layout: Layout): Promise<void> {
    const { origin, version, revision } = layout
    const { wanted } = this.#servers
    this.#tell({ step: 'finish' })
    const next: Layout = { origin, version: version + 1, revision, phase: 'stable', shards: wanted }
    const stays = ({ name }: ShardServer) => wanted.some((one) => one.name === name)
    await this.#raise(next, this.#reached.filter(stays))
    await this.#raise(
      next,
      this.#reached.filter((server) => !stays(server)),
    )
  }

  /** Writes a list on `servers`. Answers what stands: another step of the same move, where a process took it that had waited for us in vain. */
  async #raise(layout: Layout, servers: readonly ShardServer[]): Promise<Layout> {
    const { keys } = this.#servers
    const { version, revision, phase } = layout
    const options = { operation: 'shards.write', repeat: true }
    const standing = await Promise.all(
      servers.map(async ({ name, node }) => {
        const args = [version, revision, phase, name, encodeLayout(layout), this.#lease.token]
        const [text] = (await runOn(node, RAISE, [keys.record, keys.mover], args, options)) as readonly Reply[]
        const stands = typeof text === 'string' ? decodeLayout(text) : undefined
        const isOurs = stands?.version === version && stands.phase === phase
        const isNext = layout.phase === 'stopped' && stands?.phase === 'pulling' && stands.version === version + 1
        if (stands === undefined || !(isOurs || isNext))
          throw new HoldfastError('CHANGE_UNFINISHED', `shards: another mover has taken over on ${name}`)
        return stands
      }),
    )
    return standing.reduce((newest, one) => (isNewer(one, newest) ? one : newest), layout)
  }

  #tell(progress: Partial<ShardMoveProgress>): void {
    this.#progress = { ...this.#progress, ...progress }
    this.#options.onProgress?.(this.#progress)
  }

  #report(
    from: Layout,
    status: 'moved' | 'same',
    done: { resumed?: boolean; lost?: readonly string[]; removed?: number; sweep?: Sweep | undefined } = {},
  ): ShardMoveReport {
    const { resumed = false, lost = [], removed = 0, sweep } = done
    return {
      namespace: this.#servers.namespace,
      from: namesOf(from.shards),
      to: namesOf(this.#servers.wanted),
      status,
      resumed,
      keys: sweep?.keys ?? 0,
      bytes: sweep?.bytes ?? 0,
      bigKeys: sweep?.bigKeys ?? [],
      lost,
      removed,
      tookMs: Math.round(monotonicMs() - this.#startedMs),
    }
  }

  end(): Promise<void> {
    return this.#lease.release()
  }
}
