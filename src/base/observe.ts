import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

/** What an operation tells of itself: `outcome` is the one word that says how it ended. */
export interface Operation {
  [field: string]: unknown
  outcome?: string
}

/**
 * One TracingChannel per operation, named `tracing:holdfast:<room>.<verb>`. Without a subscriber it costs one check;
 * the report is one per call, with its outcome in `outcome`, never one per branch.
 */
export class Observed {
  readonly #channel: TracingChannel<Operation, Operation>

  constructor(name: `${string}.${string}`) {
    this.#channel = tracingChannel<Operation, Operation>(`holdfast:${name}`)
  }

  /** True when anybody listens: build fields only then. */
  get heard(): boolean {
    return this.#channel.hasSubscribers
  }

  /** Runs `work` under the channel's start, end and error events. */
  run<T>(fields: Operation, work: (operation: Operation) => Promise<T>): Promise<T> {
    return this.heard ? this.#channel.tracePromise(() => work(fields), fields) : work(fields)
  }
}
