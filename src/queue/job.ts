import type { Delivery } from '../stream/consumer-lease.ts'
import type { JobOptions } from './options.ts'

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

  /** @internal */
  constructor(delivery: Delivery, data: T) {
    const { envelope, deliveries, fence, entry } = delivery
    this.id = envelope.id
    this.data = data
    this.attempt = envelope.used + deliveries
    this.priority = envelope.priority
    this.group = envelope.group
    this.fence = fence
    this.addedAtMs = envelope.addedAtMs ?? Number.parseInt(entry, 10)
    this.delivery = delivery
  }
}

/** What was set for this job alone. */
export function optionsOf({ envelope: { options } }: Delivery): JobOptions {
  return options === '' ? NONE : (JSON.parse(options) as JobOptions)
}

const NONE: JobOptions = {}
