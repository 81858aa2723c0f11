import { checkBoolean, checkKnown } from '../../base/check.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'
import { type ConnectOptions, resolveSettings } from '../../redis/settings.ts'
import { type ClusterCheck, checkCluster } from './check.ts'
import {
  Crew,
  disagreement,
  find,
  isPrimary,
  isServing,
  type Member,
  type Picture,
  primaries,
  slotsOf,
} from './crew.ts'
import { ChangeRefusedError } from './errors.ts'
import { failOver, successor } from './failover.ts'
import { type AddOptions, addNode, candidate } from './join.ts'
import { expectRemovable, expel } from './leave.ts'
import { type Move, type MoveOptions, Mover } from './mover.ts'
import { countSlots, type PlannedMove, planShares } from './plan.ts'
import { fromRanges, type SlotRange, toRanges } from './ranges.ts'
import { type FixOptions, type FixReport, fixSlots } from './repair.ts'
import { type ClusterStatus, type NodeStatus, readStatus, statusOf } from './status.ts'

export interface ClusterAdminOptions extends Pick<ConnectOptions, 'addressMap' | 'password' | 'tls' | 'name'> {
  /** `redis+cluster://[user:pass@]host,host`: some of its nodes; the others are found. Default `REDIS_URL`. */
  readonly url?: string
  /** How long one answer of a node may take. Default `'2s'`. */
  readonly timeout?: Duration
  /** How long the nodes may take to agree, and a replica to receive its primary's data. Default `'60s'`. */
  readonly settleTimeout?: Duration
}

export interface RebalanceOptions extends MoveOptions {
  /** Give primaries without slots their share too. Default false. */
  readonly useEmpty?: boolean
  /** Shares beside the others', by id or address: 2 gets twice as much as 1, 0 nothing. Default 1 for each. */
  readonly weights?: Readonly<Record<string, number>>
}

export interface RemoveOptions extends MoveOptions {
  /** Remove it although fewer than 3 primaries stay, or its slots cannot be moved and their keys are lost. Default false. */
  readonly force?: boolean
}

/** What a change of owners did. */
export interface MoveReport {
  readonly slots: number
  readonly keys: number
  readonly durationMs: number
}

/** Slots that change their owner, by the addresses of both. */
export interface SlotMove {
  readonly from: string
  readonly to: string
  readonly ranges: readonly SlotRange[]
  readonly slots: number
}

/**
 * A Redis Cluster, to be looked at and changed while it serves. Needs a user with all rights to CLUSTER, INFO, MIGRATE, MEMORY and FUNCTION.
 *
 * throws  ConfigError for wrong options. Nothing is sent yet
 */
export function openClusterAdmin(options: ClusterAdminOptions = {}): ClusterAdmin {
  checkKnown('', options, ['url', 'addressMap', 'password', 'tls', 'name', 'timeout', 'settleTimeout'])
  const { timeout = '2s', settleTimeout = '60s', ...connect } = options
  const settings = resolveSettings(undefined, { ...connect, timeout })
  return new ClusterAdmin(new Crew(settings, toMs(settleTimeout, 'settleTimeout')))
}

/** Every change waits until all nodes that can be asked agree about it. One change at a time: two at once are refused where seen. */
export class ClusterAdmin implements AsyncDisposable {
  readonly #crew: Crew

  /** @internal */
  constructor(crew: Crew) {
    this.#crew = crew
  }

  /** The cluster now, as its nodes see it. */
  status(): Promise<ClusterStatus> {
    return readStatus(this.#crew)
  }

  /** What is wrong, or would be at the next fault. */
  async check(): Promise<ClusterCheck> {
    const picture = await this.#crew.look()
    return checkCluster(picture, await statusOf(picture))
  }

  /** Waits until nothing is wrong, warnings aside. throws  NotAgreedError with what is. */
  async settled(): Promise<ClusterStatus> {
    let status: ClusterStatus | undefined
    await this.#crew.agree('settled', async (picture) => {
      status = await statusOf(picture)
      return checkCluster(picture, status).problems.find(({ severity }) => severity === 'error')?.message
    })
    return status as ClusterStatus
  }

  /**
   * Makes a server that runs alone a member: a primary without slots, or a replica. It may be called again when it was broken off.
   *
   * address  `host:port` as the other nodes reach it
   * answers  when every node knows it; a replica, when it has its primary's data
   */
  async add(address: string, options: AddOptions = {}): Promise<NodeStatus> {
    checkKnown('add', options, ['replicaOf'])
    return this.#statusOf(await addNode(this.#crew, address, options))
  }

  /** Looks whether `add` could be done. throws  as `add` */
  async planAdd(
    address: string,
    options: AddOptions = {},
  ): Promise<{ readonly id: string; readonly isMember: boolean }> {
    checkKnown('add', options, ['replicaOf'])
    const { id, isMember } = await candidate(this.#crew, await this.#crew.look(), address, options)
    return { id, isMember }
  }

  /** The moves that `rebalance` would make. */
  async planRebalance(options: Pick<RebalanceOptions, 'useEmpty' | 'weights'> = {}): Promise<readonly SlotMove[]> {
    const picture = await this.#crew.look()
    return shown(picture, sharesOf(picture, options))
  }

  /** Gives each primary its share of the slots, with as few moved as can be. */
  async rebalance(options: RebalanceOptions = {}): Promise<MoveReport> {
    checkKnown('rebalance', options, ['useEmpty', 'weights', 'onProgress', 'signal'])
    const picture = await this.#calm('rebalance')
    return this.#move('rebalance', picture, sharesOf(picture, options), options)
  }

  /**
   * Moves slots with their keys.
   *
   * slots     which; or how many: then the highest that `from` has
   * from, to  ids or addresses of primaries
   */
  async move(
    slots: readonly number[] | number,
    from: string,
    to: string,
    options: MoveOptions = {},
  ): Promise<MoveReport> {
    checkKnown('move', options, ['onProgress', 'signal'])
    const picture = await this.#calm('move')
    return this.#move('move', picture, [plannedMove(picture, slots, from, to)], options)
  }

  /** What `move` would do. */
  async planMove(slots: readonly number[] | number, from: string, to: string): Promise<readonly SlotMove[]> {
    const picture = await this.#crew.look()
    return shown(picture, [plannedMove(picture, slots, from, to)])
  }

  /**
   * Takes a node out: its slots go to the other primaries first, its replicas to another primary; then all forget it, and it is a
   * server alone again, empty.
   *
   * node    its id or address
   * throws  ChangeRefusedError when fewer than 3 primaries would stay, or keys be lost, unless forced
   */
  async remove(node: string, options: RemoveOptions = {}): Promise<MoveReport> {
    checkKnown('remove', options, ['force', 'onProgress', 'signal'])
    const force = checkBoolean('force', options.force ?? false)
    const picture = await this.#crew.look()
    const member = find(picture, node, 'node')
    expectRemovable(picture, member, force)
    const moves = departure(picture, member)
    const report = await this.#move('remove', moves.length > 0 ? await this.#calm('remove') : picture, moves, options)
    await expel(this.#crew, member.id)
    return report
  }

  /** What `remove` would move first. throws  as `remove` */
  async planRemove(node: string, { force = false }: Pick<RemoveOptions, 'force'> = {}): Promise<readonly SlotMove[]> {
    const picture = await this.#crew.look()
    const member = find(picture, node, 'node')
    expectRemovable(picture, member, force)
    return shown(picture, departure(picture, member))
  }

  /**
   * Lets a replica take over from its primary, as for planned work: nothing is lost.
   *
   * node  the replica; or a primary, whose replica that is least behind takes over then
   */
  async failover(node: string): Promise<NodeStatus> {
    return this.#statusOf(await failOver(this.#crew, node))
  }

  /** Who would take over from whom. throws  as `failover` */
  async planFailover(node: string): Promise<{ readonly replica: string; readonly primary: string }> {
    const picture = await this.#crew.look()
    const replica = await successor(picture, node)
    const primary = picture.members.find(({ id }) => id === replica.seen.primaryId)
    return { replica: replica.address, primary: primary?.address ?? 'nobody' }
  }

  /** Closes slots that a move left open: one that began is brought to its end. */
  fix(options: FixOptions = {}): Promise<FixReport> {
    checkKnown('fix', options, ['cover', 'onProgress', 'signal'])
    return fixSlots(this.#crew, options)
  }

  close(): Promise<void> {
    return this.#crew.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #statusOf(id: string): Promise<NodeStatus> {
    const { nodes } = await this.status()
    const node = nodes.find((one) => one.id === id)
    if (node === undefined) throw new ConfigError('node', 'a node of the cluster', id)
    return node
  }

  /** The cluster, if nobody is moving slots and its nodes agree who owns them. */
  async #calm(operation: string): Promise<Picture> {
    const picture = await this.#crew.look()
    const open = picture.members.find(({ view }) => (view?.self.open.length ?? 0) > 0)
    if (open !== undefined)
      throw new ChangeRefusedError(
        operation,
        `${open.address} has open slots: another move is under way, or fix() first`,
      )
    const lack = disagreement(picture)
    if (lack !== undefined) throw new ChangeRefusedError(operation, `expected nodes that agree: ${lack}`)
    return picture
  }

  async #move(
    operation: string,
    picture: Picture,
    planned: readonly PlannedMove[],
    options: MoveOptions,
  ): Promise<MoveReport> {
    const startMs = performance.now()
    const member = (id: string) => picture.members.find((one) => one.id === id) as Member
    const moves: Move[] = planned.map(({ from, to, slots }) => ({ from: member(from), to: member(to), slots }))
    for (const { from, to } of moves) for (const end of [from, to]) expectReachable(operation, end)
    await this.#crew.agree(operation, async () => {
      for (const { to } of moves) if (!(await isServing(to))) return `${to.address} does not serve yet`
      return undefined
    })
    const keys = await new Mover(this.#crew, operation, options).run(moves, picture)
    if (moves.length > 0)
      await this.#crew.agree(operation, ({ trusted }) => {
        const astray = moves.find(({ to, slots }) => slots.some((slot) => trusted.owners[slot] !== to.id))
        return astray === undefined ? undefined : `${astray.to.address} is not known as the owner of its new slots`
      })
    return { slots: countSlots(planned), keys, durationMs: Math.round(performance.now() - startMs) }
  }
}

function expectReachable(operation: string, { view, address, fault }: Member): void {
  if (view === undefined)
    throw new ChangeRefusedError(operation, `expected an answer of ${address}, received ${fault?.message ?? 'none'}`)
}

function sharesOf(picture: Picture, { useEmpty = false, weights = {} }: RebalanceOptions): readonly PlannedMove[] {
  checkBoolean('useEmpty', useEmpty)
  const weightOf = new Map<string, number>()
  for (const [which, weight] of Object.entries(weights)) {
    const member = find(picture, which, 'weights')
    if (!isPrimary(member)) throw new ConfigError('weights', 'primaries', `a replica, ${member.address}`)
    if (!(Number.isFinite(weight) && weight >= 0))
      throw new ConfigError(`weights['${which}']`, 'a number from 0', weight)
    weightOf.set(member.id, weight)
  }
  const takers = primaries(picture).filter((member) => useEmpty || slotsOf(member) > 0 || weightOf.has(member.id))
  const holders = takers.map((member) => ({ ...holder(member), weight: weightOf.get(member.id) ?? 1 }))
  if (!holders.some(({ weight }) => weight > 0)) throw new ConfigError('weights', 'one above 0 at least', 0)
  return planShares(holders)
}

/** What the others get of a primary that goes, so that they end up even. */
function departure(picture: Picture, leaving: Member): readonly PlannedMove[] {
  if (!isPrimary(leaving) || slotsOf(leaving) === 0 || leaving.view === undefined) return []
  const others = primaries(picture).filter(
    (member) => member.id !== leaving.id && slotsOf(member) > 0 && member.view !== undefined,
  )
  if (others.length === 0) throw new ChangeRefusedError('remove', 'no other primary could take its slots')
  const heirs = others.map((member) => ({ ...holder(member), weight: 1 }))
  // Of the slots that go, only: the others exchange none.
  return planShares([{ ...holder(leaving), weight: 0 }, ...heirs]).filter(({ from }) => from === leaving.id)
}

const holder = (member: Member) => ({ id: member.id, slots: fromRanges(member.seen.ranges) })

function plannedMove(
  picture: Picture,
  slots: readonly number[] | number,
  fromName: string,
  toName: string,
): PlannedMove {
  const [from, to] = [find(picture, fromName, 'from'), find(picture, toName, 'to')]
  for (const [option, member] of [['from', from] as const, ['to', to] as const])
    if (!isPrimary(member)) throw new ConfigError(option, 'a primary', `a replica, ${member.address}`)
  if (from.id === to.id) throw new ConfigError('to', `another primary than ${from.address}`, toName)
  const own = fromRanges(from.seen.ranges)
  if (typeof slots === 'number') {
    if (!(Number.isInteger(slots) && slots > 0 && slots <= own.length))
      throw new ConfigError('slots', `1 to ${own.length} slots, as many as ${from.address} has`, slots)
    return { from: from.id, to: to.id, slots: own.slice(-slots) }
  }
  const has = new Set(own)
  const foreign = slots.filter((slot) => !has.has(slot))
  if (slots.length === 0 || foreign.length > 0)
    throw new ConfigError('slots', `slots of ${from.address}`, foreign[0] ?? 'none')
  return { from: from.id, to: to.id, slots: [...new Set(slots)].sort((a, b) => a - b) }
}

function shown({ members }: Picture, moves: readonly PlannedMove[]): readonly SlotMove[] {
  const address = (id: string) => members.find((member) => member.id === id)?.address ?? id
  return moves.map(({ from, to, slots }) => ({
    from: address(from),
    to: address(to),
    ranges: toRanges(slots),
    slots: slots.length,
  }))
}
