import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

/** What an operation tells of itself: `outcome` is the one word that says how it ended. */
export interface Operation {
  [field: string]: unknown
  outcome?: string
}

type Channel = TracingChannel<Operation, Operation>

const channels = new Map<string, Channel>()
const watchers = new Set<(name: string, channel: Channel) => void>()

/** Tells of every operation there is, and of each that is loaded later, until the function that it answers is called. */
export function eachOperation(tell: (name: string, channel: Channel) => void): () => void {
  for (const [name, channel] of channels) tell(name, channel)
  watchers.add(tell)
  return () => void watchers.delete(tell)
}

/**
 * One TracingChannel per operation, named `tracing:holdfast:<room>.<verb>`. Without a subscriber it costs one check;
 * the report is one per call, with its outcome in `outcome`, never one per branch.
 */
export class Observed {
  readonly #channel: Channel

  constructor(name: `${string}.${string}`) {
    this.#channel = tracingChannel<Operation, Operation>(`holdfast:${name}`)
    channels.set(name, this.#channel)
    for (const tell of watchers) tell(name, this.#channel)
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
