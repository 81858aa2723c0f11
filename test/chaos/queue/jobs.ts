// What producers put into the queue, and what becomes of each job where it runs: known from its data alone, in every process.
import type { AddOptions, QueueOptions } from 'holdfast'
import type { Chance } from './chance.ts'

/**
 * plain     ends
 * delayed   waits for its time first
 * named     has an id of ours; is added again when nobody knows whether it was
 * urgent, patient  has a priority above, or below, all others
 * grouped   runs after the one before it in its group
 * failing   fails in its first attempts
 * hopeless  gives up: a dead letter
 * effect    tallies, and is followed by a job of the kind `child`
 */
export type Kind = 'plain' | 'delayed' | 'named' | 'urgent' | 'patient' | 'grouped' | 'failing' | 'hopeless' | 'effect'

export interface ChaosJob {
  /** Of no other job. */
  readonly key: string
  readonly kind: Kind | 'child'
  /** How long a handler takes, in ms. */
  readonly takesMs: number
  /** Of one that fails: in how many attempts. */
  readonly fails?: number
}

export const QUEUE = 'jobs'

/** Of twenty jobs so many are of the kind. What is left is plain. */
const OF_TWENTY: readonly (readonly [Kind, number])[] = [
  ['delayed', 2],
  ['named', 2],
  ['urgent', 1],
  ['patient', 1],
  ['grouped', 3],
  ['failing', 1],
  ['effect', 2],
]
const KINDS = OF_TWENTY.flatMap(([kind, count]) => Array.from({ length: count }, () => kind))
/** Each of so many is hopeless. */
const HOPELESS_OF = 200
const GROUPS_EACH = 5

/** `attempts`: deaths of processes count too, and here they die all the time. */
export const queueOptions = (leaseMs: number, shards: number): QueueOptions<ChaosJob> => ({
  ...{ lease: leaseMs, shards, attempts: 100, backoff: { base: 20, max: 200, jitter: 0.2 } },
})

export function makeJob(producer: number, number: number, chance: Chance): ChaosJob {
  const kind =
    chance.below(HOPELESS_OF) === 0 ? 'hopeless' : ((KINDS as readonly Kind[])[chance.below(20)] ?? ('plain' as const))
  // A few take long enough to be found running by whatever happens.
  const takesMs = chance.below(50) === 0 ? 100 + chance.below(300) : chance.below(20)
  return { key: `${producer}.${number}`, kind, takesMs, ...(kind === 'failing' ? { fails: 1 + chance.below(2) } : {}) }
}

/** Jobs of one group are of one producer, which adds them one call after the other. */
export function groupOf({ key }: ChaosJob): string {
  const [producer, number] = key.split('.')
  return `${producer}-${Number(number) % GROUPS_EACH}`
}

export function addOptions(job: ChaosJob): AddOptions | undefined {
  switch (job.kind) {
    case 'delayed':
      return { delay: 50 + job.takesMs * 10 }
    case 'named':
      return { id: `named-${job.key}` }
    case 'urgent':
      return { priority: 5 }
    case 'patient':
      return { priority: -3 }
    case 'grouped':
      return { group: groupOf(job) }
    default:
      return undefined
  }
}

/** The job that follows one that has effects; each delivery of it would have its own. */
export const childKey = (key: string, fence: string): string => `${key}>${fence}`
/** What a delivery that ends such a job counts. */
export const tallyName = (key: string, fence: string): string => `${key}>${fence}`
