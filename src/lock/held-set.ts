import type { Duration } from '../base/duration.ts'
import type { LockLostError } from './errors.ts'
import type { HeldLock, Hold } from './hold.ts'
import { lossSignal } from './loss-signal.ts'

/** Several locks that are held together: losing one is losing all. */
export interface HeldLocks extends HeldLock {
  /** The highest of them. For a resource that one lock guards, take that lock's own. */
  readonly fence: bigint
  /** Of each lock, by its name. */
  readonly fences: ReadonlyMap<string, bigint>
}

export class HoldSet implements HeldLocks {
  readonly fences: ReadonlyMap<string, bigint>
  readonly #holds: readonly Hold[]
  readonly #controller = new AbortController()
  readonly #signal: AbortSignal

  constructor(holds: readonly Hold[]) {
    this.#holds = holds
    this.fences = new Map(holds.map(({ resource, fence }) => [resource.name, fence]))
    this.#signal = lossSignal(this.#controller, () => void this.loss)
    for (const hold of holds) hold.onLoss((loss) => this.#controller.abort(loss))
  }

  get fence(): bigint {
    return [...this.fences.values()].reduce((most, fence) => (fence > most ? fence : most))
  }

  get signal(): AbortSignal {
    return this.#signal
  }

  valid(): boolean {
    return this.#holds.every((hold) => hold.valid())
  }

  get loss(): LockLostError | undefined {
    for (const { loss } of this.#holds) if (loss !== undefined) return loss
    return undefined
  }

  async extend(duration: Duration): Promise<void> {
    await Promise.all(this.#holds.map((hold) => hold.extend(duration)))
  }

  async release(): Promise<'released' | 'gone'> {
    const words = await Promise.all(this.#holds.map((hold) => hold.release()))
    return words.every((word) => word === 'released') ? 'released' : 'gone'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => {})
  }
}
