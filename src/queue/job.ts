import type { Delivery } from '../stream/consumer-lease.ts'
import type { DeadReason } from './events.ts'
import type { JobOptions } from './options.ts'
import type { Reports } from './reports.ts'

/** What became of a child. `cancelled` also where it is not known any more. */
export type ChildOutcome =
  | { readonly id: string; readonly status: 'done'; readonly value: unknown }
  | { readonly id: string; readonly status: 'dead'; readonly reason: DeadReason }
  | { readonly id: string; readonly status: 'cancelled' }

/** A job as its handler sees it. */
export class Job<T = unknown> {
  readonly id: string
  readonly data: T
  /** 1 for the first. */
  readonly attempt: number
  readonly priority: number
  readonly group: string | undefined
  /** Higher than that of every delivery of this job before: for a resource that refuses older ones. */
  readonly fence: bigint
  /** When it was added, in ms of the server's clock. */
  readonly addedAtMs: number
  /** What its children came to, in their order; none where it has none. */
  readonly children: readonly ChildOutcome[]
  /** @internal */
  readonly delivery: Delivery
  readonly #reports: Reports | undefined

  /** @internal */
  constructor(delivery: Delivery, data: T, reports?: Reports, children: readonly ChildOutcome[] = NO_CHILDREN) {
    const { envelope, deliveries, fence, entry } = delivery
    this.id = envelope.id
    this.data = data
    this.attempt = envelope.used + deliveries
    this.priority = envelope.priority
    this.group = envelope.group
    this.fence = fence
    this.addedAtMs = envelope.addedAtMs ?? Number.parseInt(entry, 10)
    this.children = children
    this.delivery = delivery
    this.#reports = reports
  }

  /**
   * Says how far it is, for `queue.job` and whoever waits for its result: anything of at most 4 KiB of JSON. The latest is kept for an hour, or
   * until the job is done with a result; said often, what lies between may be left out.
   */
  progress(value: unknown): void {
    this.#reports?.say(this, value)
  }
}

/** What was set for this job alone. */
export function optionsOf({ envelope: { options } }: Delivery): JobOptions {
  return options === '' ? NONE : (JSON.parse(options) as JobOptions)
}

/** Whether something is to be so once it is done, in the same step: its end is a call of its own. */
export const leavesSomething = ({ resultMs, keepIdMs, children, siblings }: JobOptions): boolean =>
  (resultMs ?? keepIdMs ?? children ?? siblings) !== undefined

const NONE: JobOptions = {}
const NO_CHILDREN: readonly ChildOutcome[] = []
