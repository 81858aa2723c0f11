import { type HeldLocks, HoldSet } from './held-set.ts'
import { Hold } from './hold.ts'
import { Lockable } from './lockable.ts'
import { acquireAllScript } from './lua.generated.ts'
import { momentNow, sinceMs } from './moment.ts'
import {
  type AcquireOptions,
  type CheckedLock,
  checkAcquire,
  checkLockNames,
  checkLockOptions,
  type LockOptions,
} from './options.ts'
import type { Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/**
 * Several locks at once, all of them or none. Where all live in one place, one script takes them if all are free. Else, and to wait,
 * they are taken one after the other in the order of their names, in line for each, and given back when one is not had in time.
 */
export class LockSet extends Lockable<AcquireOptions, HeldLocks> {
  readonly #room: LockRoom
  readonly #resources: readonly Resource[]
  readonly #options: CheckedLock

  /** @internal */
  constructor(room: LockRoom, names: readonly string[], options?: LockOptions) {
    const checked = checkLockNames(names)
    super(checked.join(', '))
    this.#options = checkLockOptions(options)
    this.#room = room
    this.#resources = checked.map((name) => room.lockResource('lock', name))
  }

  protected async take(options: AcquireOptions | undefined): Promise<HoldSet> {
    const { waitMs, signal } = checkAcquire(options, this.#options.waitMs)
    const start = momentNow()
    const together = await this.#takeTogether()
    if (together !== undefined) return together
    const { renewed } = this.#options
    return this.#inOrder((resource) =>
      this.#room.acquire(resource, this.#room.request(this.#options), {
        waitMs: Math.max(0, waitMs - sinceMs(start)),
        signal,
        renewed,
      }),
    ) as Promise<HoldSet>
  }

  protected async takeNow(options: AcquireOptions | undefined): Promise<HoldSet | undefined> {
    checkAcquire(options, 0)
    if (this.#inOnePlace) return this.#takeTogether()
    const { renewed } = this.#options
    return this.#inOrder((resource) => this.#room.tryAcquire(resource, this.#room.request(this.#options), renewed))
  }

  get #inOnePlace(): boolean {
    return this.#room.redis.groupByPlace(this.#resources, ({ key }) => key, this.#resources.length).length === 1
  }

  async #takeTogether(): Promise<HoldSet | undefined> {
    const [first] = this.#resources
    if (first === undefined || !this.#inOnePlace) return undefined
    this.#room.enter(first.key)
    const { redis, keeper, inbox } = this.#room
    const { ttlMs, owner, renewed } = this.#options
    const wanted = this.#resources.map((resource) => ({ resource, request: this.#room.request(this.#options) }))
    const args = { ttlMs, inbox: inbox.id, owner, tokens: wanted.map(({ request }) => request.token) }
    const locks = this.#resources.map(({ key }) => key)
    const asked = momentNow()
    try {
      const reply = await acquireAllScript.run(redis, { locks }, args, { operation: 'lock.acquire', repeat: true })
      if (reply[0] === 'taken') return undefined
      const fence = BigInt(reply[1])
      return new HoldSet(
        wanted.map(({ resource, request }) => new Hold(keeper, resource, request, fence, asked, ttlMs, renewed)),
      )
    } catch (error) {
      // It may have been carried out all the same.
      for (const { resource, request } of wanted) resource.release(request.token).catch(() => {})
      throw error
    }
  }

  /** One after the other; what was taken is given back when one is not to be had. */
  async #inOrder(takeOne: (resource: Resource) => Promise<Hold | undefined>): Promise<HoldSet | undefined> {
    const holds: Hold[] = []
    const giveBack = () => Promise.allSettled(holds.map((hold) => hold.release()))
    try {
      for (const resource of this.#resources) {
        const hold = await takeOne(resource)
        if (hold === undefined) {
          await giveBack()
          return undefined
        }
        holds.push(hold)
      }
    } catch (error) {
      await giveBack()
      throw error
    }
    const set = new HoldSet(holds)
    const { loss } = set
    if (loss === undefined) return set
    // The first was lost while the last was waited for.
    await giveBack()
    throw loss
  }
}
