import { ConfigError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import type { LockLostError } from './errors.ts'
import type { HeldLock, Holding } from './hold.ts'
import type { AcquireOptions } from './options.ts'

const OBSERVED = {
  acquire: new Observed('lock.acquire'),
  tryAcquire: new Observed('lock.tryAcquire'),
  run: new Observed('lock.run'),
} as const

/** `loss`: why it was lost; undefined while it is not. */
export type Taken<Held extends Holding> = Held & { readonly loss: LockLostError | undefined }

/** Whatever can be held while some work runs. */
export abstract class Lockable<Options extends AcquireOptions = AcquireOptions, Held extends Holding = HeldLock> {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  /** @internal */
  protected abstract take(options: Options | undefined): Promise<Taken<Held>>
  /** @internal */
  protected abstract takeNow(options: Options | undefined): Promise<Taken<Held> | undefined>

  /**
   * Run `work` while it is held: waited for first, extended meanwhile, released at the end, whatever the end is.
   *
   * work     told `fence`, `signal` and the other parts of `HeldLock`; should stop when the signal fires
   * returns  what `work` returns
   * throws   what `work` throws; LockTimeoutError; LockLostError when it was lost before `work` had ended, which may then have run
   *          beside another
   */
  async run<T>(work: (held: Held) => Promise<T> | T, options?: Options): Promise<T> {
    if (typeof work !== 'function') throw new ConfigError('work', 'a function', work)
    return OBSERVED.run.run({ lock: this.name }, async (operation) => {
      const hold = await this.take(options)
      try {
        const result = await work(hold)
        const { loss } = hold
        operation.outcome = loss === undefined ? 'done' : 'lost'
        if (loss !== undefined) throw loss
        return result
      } finally {
        // What was lost is given back behind the caller's back; what cannot be released ends with its lease.
        const released = hold.release().catch(() => {})
        if (hold.loss === undefined) await released
      }
    })
  }

  /** Wait for it, in line. Throws LockTimeoutError after `wait`. */
  async acquire(options?: Options): Promise<Held> {
    return OBSERVED.acquire.run({ lock: this.name }, async (operation) => {
      const hold = await this.take(options)
      operation.outcome = 'held'
      return hold
    })
  }

  /** Take it if it is free now; undefined when another holds it, or others wait for it. */
  async tryAcquire(options?: Options): Promise<Held | undefined> {
    return OBSERVED.tryAcquire.run({ lock: this.name }, async (operation) => {
      const hold = await this.takeNow(options)
      operation.outcome = hold === undefined ? 'taken' : 'held'
      return hold
    })
  }
}
