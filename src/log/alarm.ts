import { checkFunction, checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { guarded } from '../base/listener.ts'
import { Loop } from '../loop/loop.ts'
import type { GroupView } from './inspect.ts'

export interface AlarmOptions {
  /** More entries than this that the group has not done are too many. */
  readonly lag?: number
  /** The first entry that it has not done may be so old. */
  readonly age?: Duration
  /** How often it is looked. Default `'5s'`. */
  readonly every?: Duration
  /** Told once when a bound is passed, and again when it is passed after it was kept. */
  readonly onAlarm: (view: GroupView) => unknown
  /** Told when all bounds are kept again. Default: nobody. */
  readonly onClear?: (view: GroupView) => unknown
  /** Told why Redis cannot be asked, and what the functions above throw. Default: nobody. */
  readonly onError?: (error: unknown) => void
}

/** Looks now and then how far a group is behind, from this process, until it is closed. Made by `group.alarm`. */
export class LagAlarm implements AsyncDisposable {
  readonly #loop: Loop
  readonly #onClosed: () => void
  #rings = false

  /** @internal Made by `group.alarm`. */
  constructor(look: () => Promise<GroupView | undefined>, options: AlarmOptions, onClosed: () => void) {
    checkKnown('', options, ['lag', 'age', 'every', 'onAlarm', 'onClear', 'onError'])
    const { lag, age, every = '5s' } = options
    if (lag === undefined && age === undefined) throw new ConfigError('lag', 'a bound of it, or one of `age`', lag)
    const most = lag === undefined ? Number.POSITIVE_INFINITY : checkInteger('lag', lag, 0, 1e12)
    const oldestMs = age === undefined ? Number.POSITIVE_INFINITY : toMs(age, 'age')
    const onAlarm = checkFunction('onAlarm', options.onAlarm)
    if (onAlarm === undefined) throw new ConfigError('onAlarm', 'a function', onAlarm)
    const onClear = checkFunction('onClear', options.onClear)
    const onError = guarded('onError of an alarm of a log', checkFunction('onError', options.onError))
    this.#onClosed = onClosed
    const turn = async () => {
      const view = await look()
      if (view === undefined) return
      const isOver = view.lag > most || view.oldestMs > oldestMs
      if (isOver === this.#rings) return
      this.#rings = isOver
      await (isOver ? onAlarm(view) : onClear?.(view))
    }
    this.#loop = new Loop(turn, { every: toMs(every, 'every', { min: 10 }), onError }).start()
  }

  /** True while a bound is passed, as of the last look. */
  get rings(): boolean {
    return this.#rings
  }

  async close(): Promise<void> {
    await this.#loop.stop()
    this.#onClosed()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
