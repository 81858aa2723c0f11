import type { AsyncLocalStorage } from 'node:async_hooks'
import { monotonicMs } from '../base/clock.ts'
import { eachOperation, type Operation } from '../base/observe.ts'

const BEGAN = Symbol('holdfast.began')

/** What a channel carries of one call: what the operation told of itself, and how it ended. */
export interface HeardOperation extends Operation {
  readonly error?: unknown
  [BEGAN]?: number
}

export interface Ears {
  /** A call begins. What it does, and all that is awaited within, runs inside of `run`. */
  readonly around?: {
    /** What `run` is handed for this call. */
    context(name: string, operation: HeardOperation): unknown
    run<R>(context: unknown, work: () => R): R
  }
  /** It has ended: `operation.outcome` is how, `operation.error` why not. */
  ended(name: string, operation: HeardOperation, ms: number): void
}

/** Hears of every operation of this process, of all instances and of what is loaded later, until the function that it answers is called. */
export function listen(ears: Ears): () => void {
  const ends: (() => void)[] = []
  const stop = eachOperation((name, channel) => {
    const own = {
      start: (message: Operation) => {
        const operation = message as HeardOperation
        // Two who listen: the second finds it set.
        operation[BEGAN] ??= monotonicMs()
      },
      asyncEnd: (message: Operation) => {
        const operation = message as HeardOperation
        const began = operation[BEGAN]
        // Begun before anybody listened: how long it took is not known.
        if (began !== undefined) ears.ended(name, operation, monotonicMs() - began)
      },
    }
    channel.subscribe(own as unknown as Parameters<typeof channel.subscribe>[0])
    ends.push(() => void channel.unsubscribe(own as unknown as Parameters<typeof channel.subscribe>[0]))
    const { around } = ears
    if (around === undefined) return
    // Of a store that is bound, `run` alone is called: that of an AsyncLocalStorage, or any other way to run work in a context.
    const run = <R>(context: unknown, work: () => R) => around.run(context, work)
    const store = { run } as unknown as AsyncLocalStorage<Operation>
    channel.start.bindStore(store, (message) => around.context(name, message as HeardOperation) as Operation)
    ends.push(() => void channel.start.unbindStore(store))
  })
  return () => {
    stop()
    for (const end of ends.splice(0)) end()
  }
}
