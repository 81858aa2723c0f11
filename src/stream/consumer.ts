import { backoffMs } from '../base/backoff.ts'
import { monotonicMs } from '../base/clock.ts'
import type { Redis } from '../redis/redis.ts'
import type { Bell } from './bell.ts'
import { Blocked, type BlockedOwner } from './blocked.ts'
import { ConsumerCalls, isUnsent, NOTHING, POLL_MS, type Turned, type Undone, waitOf } from './consumer-calls.ts'
import { ConsumerLease, type Delivery } from './consumer-lease.ts'
import { Excuses, type ExcusesOwner } from './excuses.ts'
import type { Layout } from './layout.ts'
import { RetiredLeases, type RetiredOwner } from './retired.ts'
import { type Batch, tellAll } from './settlements.ts'

const AGAIN_BASE_MS = 20
const AGAIN_MAX_MS = 1_000
/** The server renews a lease once an eighth of it has passed: so much of it is sure after each turn. */
const SURE_SHARE = 7 / 8

/** More jobs of one turn would keep others from the server for too long: so many for workers, and for callers of `take`. */
export const MOST_OF_TURN = 1_000

/** For whom a consumer takes jobs. */
export interface Crew extends RetiredOwner, ExcusesOwner {
  readonly leaseMs: number
  /** Sets places aside for jobs of this shard, and says how many. */
  reserve(consumer: Consumer): number
  /** The jobs that came for places set aside. */
  deliver(reserved: number, deliveries: readonly Delivery[]): void
  /** True while there are workers that want to be told of work. */
  readonly isWaiting: boolean
  /** True while one of them wants it the faster way: by a connection that blocks. */
  readonly isBlocking: boolean
  /** Places that are free now. */
  readonly free: number
}

type Taken = (delivery: Delivery | undefined, error?: unknown) => void

/** This process as a consumer of one shard: takes jobs, ends them, and keeps its lease, in turns that never overlap. */
export class Consumer implements BlockedOwner {
  readonly layout: Layout
  readonly #calls: ConsumerCalls
  readonly #crew: Crew
  readonly #bell: Bell
  #lease: ConsumerLease | undefined
  readonly #retired: RetiredLeases
  readonly #excuses: Excuses
  #takes: Taken[] = []
  #isScheduled = false
  /** There may be something to do that the turn under way does not know of. */
  #isWanted = false
  #running: Promise<void> | undefined
  /** Nothing was there when it was last looked. */
  #isEmpty = false
  /** There may be jobs that the turn under way came too early for. */
  #hasNews = false
  #isRinging = false
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  readonly #blocked: Blocked
  #isClosed = false

  constructor(redis: Redis, layout: Layout, crew: Crew, bell: Bell, room: string) {
    this.layout = layout
    this.#calls = new ConsumerCalls(redis, layout, room)
    this.#excuses = new Excuses(this.#calls, crew)
    this.#retired = new RetiredLeases(this.#calls, this.#excuses, crew)
    this.#blocked = new Blocked(redis, layout, this.#calls, this)
    this.#crew = crew
    this.#bell = bell
  }

  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** Jobs that are being worked on. */
  get held(): number {
    let held = this.#lease?.held.size ?? 0
    for (const lease of this.#retired.all) held += lease.held.size
    return held
  }

  /** Tells who works on a job here that it is to stop. */
  cancel(id: string): void {
    for (const lease of [...this.#retired.all, ...(this.#lease === undefined ? [] : [this.#lease])])
      for (const delivery of [...lease.held]) if (delivery.envelope.id === id) delivery.onCancel?.()
  }

  /** A job, or undefined when there is none now. */
  take(): Promise<Delivery | undefined> {
    return new Promise((resolve, reject) => {
      this.#takes.push((delivery, error) => (error === undefined ? resolve(delivery) : reject(error)))
      this.pump()
    })
  }

  /** Somebody said that there is work. */
  ring(): void {
    this.#look()
    // With no place free it is for another: a turn of nothing passes it on.
    this.#isRinging = true
    if (this.#running !== undefined) this.#isWanted = true
    else this.#running = this.#run()
  }

  #look(): void {
    this.#isEmpty = false
    this.#hasNews = true
  }

  /** Looks for what to do, soon: what ends meanwhile goes along. */
  pump(): void {
    if (this.#isScheduled) return
    if (this.#running !== undefined) {
      this.#isWanted = true
      return
    }
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#running ??= this.#run()
    })
  }

  async #run(): Promise<void> {
    try {
      do this.#isWanted = false
      while ((await this.#turn()) || this.#isWanted)
    } finally {
      this.#running = undefined
    }
  }

  /** One turn. True when there is more to do at once. */
  async #turn(): Promise<boolean> {
    const crew = this.#crew
    const known = this.#lease?.settlements.size ?? 0
    // A turn that is made anyway looks anyway.
    const reserved = (this.#isEmpty && known === 0) || this.#isClosed ? 0 : crew.reserve(this)
    const takes = this.#takes.slice(0, MOST_OF_TURN)
    const wanted = reserved + takes.length
    if (wanted === 0 && known === 0 && !(this.#isRinging && this.#lease !== undefined)) {
      if (crew.isWaiting && this.#isEmpty && this.#timer === undefined && !this.#blocked.isWaiting)
        this.#wakeIn(POLL_MS)
      return false
    }
    this.#takes = this.#takes.slice(takes.length)
    this.#isRinging = false
    this.#hasNews = false
    if (this.#excuses.size > 0) {
      try {
        // Before this very turn blames anybody.
        await this.#excuses.tell()
      } catch (error) {
        crew.deliver(reserved, [])
        for (const take of takes) take(undefined, error)
        this.#troubled(error)
        return false
      }
    }
    const lease = this.#leaseNow()
    const batch = lease.settlements.take()
    const sentMs = monotonicMs()
    try {
      const turned = await this.#calls.turn(lease, batch, wanted, this.#inbox, crew)
      this.#failures = 0
      if (turned === 'layout' || turned === 'gone') {
        if (turned === 'layout') this.#retired.tellAgain(lease, batch)
        else this.#retired.gone(lease, batch)
        crew.deliver(reserved, [])
        this.#takes = [...takes, ...this.#takes]
        return true
      }
      lease.isJoined = true
      lease.renewed(sentMs, lease.leaseMs * SURE_SHARE)
      tellAll(batch, true)
      if (lease.alone === 'ended' && lease.settlements.size === 0) lease.alone = 'none'
      if (lease.isLost) {
        crew.deliver(reserved, [])
        this.#takes = [...takes, ...this.#takes]
        // What cannot be handed back is found when the lease is over there too.
        await this.#retired.handBack(lease, turned.deliveries).catch((error) => crew.onError(error))
        return true
      }
      return this.#onTurn(lease, turned, reserved, takes)
    } catch (error) {
      crew.deliver(reserved, [])
      for (const take of takes) take(undefined, error)
      await this.#onFailed(lease, batch, error)
      return false
    }
  }

  /** Where this process wants to be told, as scripts read it. */
  get #inbox(): string {
    if (!this.#crew.isWaiting) return ''
    return this.#crew.isBlocking ? `<${this.#bell.id}` : this.#bell.id
  }

  #leaseNow(): ConsumerLease {
    const { leaseMs } = this.#crew
    const now = this.#lease
    // One that holds nothing may have lapsed in silence.
    if (now !== undefined && now.held.size === 0 && now.settlements.size === 0 && !now.isValid()) {
      this.#blocked.end(now)
      now.end()
      this.#lease = undefined
    }
    this.#lease ??= new ConsumerLease(leaseMs, {
      lost: (lost) => this.#onLost(lost),
      settled: (lease) => (lease.isRetired ? void this.#retired.tend() : this.pump()),
    })
    if (!this.#lease.isJoined) this.#lease.renewed(monotonicMs(), leaseMs * SURE_SHARE)
    return this.#lease
  }

  #onLost(lost: ConsumerLease): void {
    this.#blocked.end(lost)
    if (this.#lease === lost) this.#lease = undefined
    this.#retired.delete(lost)
    this.#excuses.lost(lost)
    while (lost.settlements.size > 0) this.#retired.refuse(lost, lost.settlements.take())
    this.pump()
  }

  #onTurn(lease: ConsumerLease, turned: Turned, reserved: number, takes: readonly Taken[]): boolean {
    const { deliveries, lastIsAlone } = turned
    if (lastIsAlone) lease.alone = 'busy'
    for (const delivery of deliveries) lease.held.add(delivery)
    const wanted = reserved + takes.length
    if (wanted > 0) this.#isEmpty = deliveries.length < wanted && !this.#hasNews
    let given = 0
    for (const take of takes) take(deliveries[given++])
    this.#crew.deliver(reserved, takes.length === 0 ? deliveries : deliveries.slice(given))
    if (this.#isEmpty && this.#crew.isWaiting) {
      const ms = waitOf(turned)
      if (!this.#block(ms)) this.#wakeIn(ms)
    }
    return this.#takes.length > 0 || (!this.#isEmpty && deliveries.length > 0) || lease.settlements.size > 0
  }

  /** The answer did not come. What was to be ended is told again; what was taken, if anything, is handed back. */
  async #onFailed(lease: ConsumerLease, batch: Batch, error: unknown): Promise<void> {
    this.#retired.tellAgain(lease, batch)
    if (!isUnsent(error)) this.#retire(lease)
    if (String((error as Error).message).includes('NOGROUP'))
      await this.#calls.mendLanes().catch((thrown) => this.#crew.onError(thrown))
    this.#troubled(error)
  }

  /** Asks again after a while. */
  #troubled(error: unknown): void {
    this.#crew.onError(error)
    this.#isEmpty = true
    this.#wakeIn(backoffMs(this.#failures++, AGAIN_BASE_MS, AGAIN_MAX_MS))
  }

  /** It may have been given jobs that nobody here knows of: from now on another takes them, and it hands those back. */
  #retire(lease: ConsumerLease): void {
    if (lease.isLost || this.#lease !== lease) return
    this.#blocked.end(lease)
    this.#lease = undefined
    this.#retired.add(lease)
  }

  /** Waits for the next job on the server. False where it cannot, or does so already for longer. */
  #block(ms: number): boolean {
    const { free, isBlocking } = this.#crew
    const lease = this.#lease
    if (!isBlocking || this.#isClosed || !lease?.isJoined || lease.alone !== 'none' || !lease.isValid()) return false
    const inbox = free > 0 ? this.#inbox : ''
    return this.#blocked.wait(lease, { count: Math.min(1, free), inbox, ms: Math.ceil(ms) + 1, bounds: this.#crew })
  }

  /** Nobody here waits any more. */
  stopWaiting(): void {
    const lease = this.#blocked.end()
    if (lease === undefined) return
    this.#retire(lease)
    void this.#retired.tend()
  }

  onBlocked(lease: ConsumerLease, turned: Turned | Undone, count: number): void {
    if (turned === 'gone') lease.lose('the server says that it has ended')
    const deliveries = typeof turned === 'string' ? [] : turned.deliveries
    for (const delivery of deliveries) lease.held.add(delivery)
    this.#crew.deliver(0, deliveries)
    // Where there was one, there may be more.
    if (typeof turned === 'string' || deliveries.length === count) {
      this.#look()
      this.pump()
    } else if (!this.#block(waitOf(turned))) this.#wakeIn(POLL_MS)
  }

  onBlockFailed(lease: ConsumerLease, error: unknown): void {
    if (!String((error as Error).message).includes('NOSCRIPT')) return void this.#onFailed(lease, NOTHING, error)
    // A common turn teaches the server its script.
    this.#look()
    this.pump()
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const variedMs = ms >= POLL_MS ? ms * (0.9 + Math.random() / 5) : ms
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#look()
      this.pump()
      void this.#retired.tend()
    }, variedMs).unref()
  }

  /** Says that this process is alive, and ends what is left of retired leases. */
  async beat(): Promise<void> {
    const leases = [...this.#retired.all]
    if (this.#lease?.isJoined && (this.#lease.held.size > 0 || this.#crew.isWaiting)) leases.push(this.#lease)
    if (leases.length > 0) await this.#renew(leases)
    // Also while no place is free for a turn to be made for. What lives first: there may be many of these, and each may fail.
    if (this.#excuses.size > 0) await this.#excuses.tell()
    if (leases.length > 0) await this.#retired.tend()
  }

  async #renew(leases: readonly ConsumerLease[]): Promise<void> {
    const { leaseMs } = this.#crew
    const sentMs = monotonicMs()
    const gone = await this.#calls.extend(leases, leaseMs)
    for (const lease of leases)
      if (gone.includes(lease.id)) lease.lose('the server says that it has ended')
      else lease.renewed(sentMs, leaseMs)
  }

  /** Resolves when all that has ended so far was told, or cannot be told now. */
  async flush(): Promise<void> {
    await this.#retired.tend()
    do {
      this.#running ??= this.#run()
      await this.#running
    } while ((this.#lease?.settlements.size ?? 0) > 0 && this.#failures === 0)
  }

  /** Takes nothing more, tells what has ended, and gives the lease back: what is still held is another's at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#blocked.end()
    for (const take of this.#takes.splice(0)) take(undefined)
    await this.#running
    const leases = [...(await this.#retired.clear()), ...(this.#lease === undefined ? [] : [this.#lease])]
    this.#lease = undefined
    for (const lease of leases) {
      try {
        await this.#retired.flush(lease)
        // Held until now by somebody who has not ended it, and now cannot.
        const held = [...lease.held]
        lease.held.clear()
        if (lease.isJoined) await this.#calls.release(lease, true)
        for (const delivery of held) delivery.onLost?.('close() was called')
      } catch (error) {
        // The server is away: its lease ends by itself there.
        this.#crew.onError(error)
      }
      while (lease.settlements.size > 0) this.#retired.refuse(lease, lease.settlements.take())
      lease.end()
    }
  }
}
