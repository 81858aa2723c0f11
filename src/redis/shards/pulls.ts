import type { HoldfastError } from '../../base/errors.ts'
import type { Call } from '../call.ts'
import type { Calls } from '../calls.ts'
import type { Directory } from './directory.ts'
import type { Placement } from './layout.ts'
import { pull } from './pull.ts'

/** Keys that are known to have moved, most: a key costs one look at its old place, once. */
const MOST_KNOWN = 50_000
/** A server knows of another step than we do: one of us will know better so much later. */
const AGAIN_MS = 20

/** Brings the keys of calls to their new place, before the calls go there. */
export class Pulls {
  readonly #calls: Calls
  readonly #directory: Directory
  /** Keys that are at their new place, or nowhere: nobody can put them back. */
  readonly #known = new Set<string>()
  /** Of which version that is. */
  #version = -1
  readonly #underWay = new Map<string, Promise<boolean>>()
  readonly #fetched = new WeakMap<Call, number>()
  readonly #fetching = new WeakSet<Call>()
  #isReleasing = false

  constructor(calls: Calls, directory: Directory) {
    this.#calls = calls
    this.#directory = directory
  }

  /** True when the keys of a call are at their new place. Else they are brought, and the call, which has to wait, is attempted again then. */
  areHere(call: Call, names: readonly string[]): boolean {
    const version = this.#directory.placement?.layout.version as number
    if (this.#fetched.get(call) === version) return true
    if (this.#version === version && names.length > 0 && names.every((name) => this.#known.has(name))) return true
    if (this.#fetching.has(call)) return false
    this.#fetching.add(call)
    this.bring(names, call.timeoutMs)
      .then((isDone) => {
        if (isDone) this.#fetched.set(call, version)
        this.#fetching.delete(call)
        this.#releaseIn(isDone ? 0 : AGAIN_MS)
      })
      .catch((error) => {
        this.#fetching.delete(call)
        this.#onError(call, error)
      })
    return false
  }

  /** Attempts all that wait; once for many. */
  #releaseIn(ms: number): void {
    if (ms > 0) return void setTimeout(() => this.#calls.release(), ms)
    if (this.#isReleasing) return
    this.#isReleasing = true
    setImmediate(() => {
      this.#isReleasing = false
      this.#calls.release()
    })
  }

  #onError(call: Call, error: unknown): void {
    if (call.settled) return
    const { code } = error as { code?: unknown }
    const { key } = call
    // The call's own deadline ends it, if the list does not change before.
    if (code === 'TIMEOUT' || code === 'CONNECTION_CLOSED') return this.#releaseIn(AGAIN_MS)
    if (code === 'CONNECTION_LOST' && key !== undefined) {
      const { placement } = this.#directory
      const from = placement === undefined ? undefined : this.#directory.shard(placement.now(key))
      return this.#calls.failLink(call, `the shard ${from?.name} that its keys come from`, from?.node.lastError)
    }
    this.#calls.fail(call, error as HoldfastError)
  }

  /** Brings those of `names` that move. False when their servers are not in the step that we think they are in. */
  async bring(names: readonly string[], timeoutMs: number): Promise<boolean> {
    const { placement } = this.#directory
    if (placement === undefined || placement.layout.phase !== 'pulling') return false
    this.#forgetOthers(placement.layout.version)
    const waiting: Promise<boolean>[] = []
    const lots = new Map<number, string[]>()
    for (const name of names) {
      if (!placement.isAffected(name) || this.#known.has(name)) continue
      const underWay = this.#underWay.get(name)
      if (underWay !== undefined) {
        waiting.push(underWay)
        continue
      }
      const group = placement.group(name)
      lots.set(group, [...(lots.get(group) ?? []), name])
    }
    for (const lot of lots.values()) waiting.push(this.#bringLot(placement, lot, timeoutMs))
    return (await Promise.all(waiting)).every((isDone) => isDone)
  }

  #bringLot(placement: Placement, lot: readonly string[], timeoutMs: number): Promise<boolean> {
    const [first] = lot as [string]
    const from = this.#directory.shard(placement.now(first))
    const to = this.#directory.shard(placement.next(first))
    if (from === undefined || to === undefined) return Promise.resolve(placement.isLost(placement.now(first)))
    const { version } = placement.layout
    const request = { keys: this.#directory.keys, version, from: from.node, to: to.node }
    const work = pull({ ...request, operation: 'shards.pull', timeoutMs }, lot)
      .then((carried) => {
        if (carried === undefined) {
          void this.#directory.read(from, READ).catch(() => {})
          return false
        }
        if (this.#version === version) this.#remember(lot)
        return true
      })
      .finally(() => {
        for (const name of lot) if (this.#underWay.get(name) === work) this.#underWay.delete(name)
      })
    for (const name of lot) this.#underWay.set(name, work)
    return work
  }

  #forgetOthers(version: number): void {
    if (this.#version === version) return
    this.#version = version
    this.#known.clear()
    this.#underWay.clear()
  }

  #remember(names: readonly string[]): void {
    for (const name of names) this.#known.add(name)
    for (const name of this.#known) {
      if (this.#known.size <= MOST_KNOWN) break
      this.#known.delete(name)
    }
  }
}

const READ = { operation: 'shards.read', repeat: false, timeoutMs: 1_000 } as const
