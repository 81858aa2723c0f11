import type { Delivery } from '../stream/consumer-lease.ts'
import type { JobOptions } from './options.ts'
import type { Reports } from './reports.ts'

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
  /** @internal */
  readonly delivery: Delivery
  readonly #reports: Reports | undefined

  /** @internal */
  constructor(delivery: Delivery, data: T, reports?: Reports) {
    const { envelope, deliveries, fence, entry } = delivery
    this.id = envelope.id
    this.data = data
    this.attempt = envelope.used + deliveries
    this.priority = envelope.priority
    this.group = envelope.group
    this.fence = fence
    this.addedAtMs = envelope.addedAtMs ?? Number.parseInt(entry, 10)
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

const NONE: JobOptions = {}
