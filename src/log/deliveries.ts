import type { LogEntry } from './entry.ts'
import { toEntry } from './entry.ts'

/** One entry as a consumer was given it. */
export interface Delivery {
  /** Where it stands in the stream: its own id, but for one that was redriven. */
  readonly place: string
  readonly entry: LogEntry<unknown>
  /** Tries of handlers that failed before this one. */
  readonly failures: number
  /** Two processes have died beside it: nothing else is begun while it runs. */
  readonly alone: boolean
  /** Which try this is, those included that ended with their process. */
  readonly attempt: number
}

/** What a consumer says of an entry: the arguments of log/turn. */
export type Settlement = readonly [
  word: 'done' | 'failed' | 'back' | 'dead' | 'held',
  place: string,
  delayMs: string,
  reason: string,
  error: string,
]

const PARTS = 8

/** What log/turn has given, and the places of entries that cannot be read. */
export function readGiven(given: readonly unknown[]): {
  readonly deliveries: readonly Delivery[]
  readonly unreadable: readonly (readonly [place: string, error: unknown])[]
} {
  const deliveries: Delivery[] = []
  const unreadable: (readonly [string, unknown])[] = []
  for (let i = 0; i + PARTS <= given.length; i += PARTS) {
    const [place, number, json, types, key, first, failures, deaths] = given.slice(i, i + PARTS).map(String) as string[]
    try {
      const entry = toEntry(
        first || (place as string),
        number as string,
        json as string,
        types as string,
        key as string,
      )
      const attempt = 1 + Number(failures) + Number(deaths)
      deliveries.push({
        place: place as string,
        entry,
        failures: Number(failures),
        alone: Number(deaths) >= 2,
        attempt,
      })
    } catch (error) {
      unreadable.push([place as string, error])
    }
  }
  return { deliveries, unreadable }
}

/** In batches of at most so many, in order. What failed before runs alone: others are not to fail with it again. */
export function inBatches(deliveries: readonly Delivery[], most: number): readonly (readonly Delivery[])[] {
  const batches: Delivery[][] = []
  let open: Delivery[] | undefined
  for (const delivery of deliveries)
    if (delivery.attempt > 1) {
      batches.push([delivery])
      open = undefined
    } else if (open !== undefined && open.length < most) open.push(delivery)
    else {
      open = [delivery]
      batches.push(open)
    }
  return batches
}
