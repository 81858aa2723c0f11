import { childKey, groupOf } from './jobs.ts'
import type { Added, Ledger, Loss, Run } from './ledger.ts'

/** What Redis says when all is over. */
export interface Remains {
  /** Jobs that are neither done nor dead, and fields of keys that only such jobs have. */
  readonly stuck: readonly string[]
  /** What handlers have counted, by name. */
  readonly tallies: Readonly<Record<string, number>>
  /** Dead letters by the job's key: for what reason it died, the first time. */
  readonly dead: ReadonlyMap<string, string>
}

export interface Verdict {
  readonly acknowledged: number
  /** Of these: on every replica when they were acknowledged to the producer, so that no failover may forget them. */
  readonly firm: number
  /** Adds of which nobody knows whether they were carried out. */
  readonly unsure: number
  readonly ran: number
  /** Jobs that ran to their end more often than once, by why. */
  readonly twice: Readonly<Record<string, number>>
  /** Acknowledged adds that the server forgot, by why it could. */
  readonly forgotten: Readonly<Record<string, number>>
  /** As many as they might have: acknowledged within the moments for which docs/queue.md says so. */
  readonly forgettable: number
  /** Ends that came too late and were accepted all the same: broken promises. */
  readonly stale: number
  /** Ends that came too late and were refused. */
  readonly refused: number
  /** Dead letters by their reason. */
  readonly dead: Readonly<Record<string, number>>
  /** Broken promises. */
  readonly problems: readonly string[]
}

/** What ends is told at once, or within the lease: later it is refused. */
const TELLING_US = 1_000

/** Compares what was promised with what was done. `leaseMs`: of the queue. */
export function judge(ledger: Ledger, remains: Remains, leaseMs: number): Verdict {
  const problems: string[] = remains.stuck.map((what) => `stuck: ${what}`)
  const twice: Record<string, number> = {}
  const forgotten: Record<string, number> = {}
  const refusedUnheard = new Map<string, number>()
  let ran = 0
  for (const life of ledger.workers.values()) refusedUnheard.set(life.name, life.refusals.at(-1)?.total ?? 0)

  for (const [key, added] of ledger.added) {
    const runs = sorted(ledger, key)
    const hasEnded = runs.some(({ endedUs }) => endedUs !== undefined)
    if (hasEnded) ran++
    const isDone = added.job.kind === 'hopeless' ? remains.dead.get(key) === 'given-up' : hasEnded
    if (!isDone && added.ackedUs !== undefined) {
      const loss = added.isFirm ? undefined : lossOf(ledger, added.ackedUs)
      if (loss === undefined) problems.push(`lost: ${describe(added)}`)
      else forgotten[loss.cause] = (forgotten[loss.cause] ?? 0) + 1
    }
    count(runs, added.isRepeated)
    problems.push(...staleEnds(ledger, key, runs, remains, added))
    if (added.job.kind === 'effect') problems.push(...effectsOf(ledger, key, runs, remains))
  }
  for (const key of ledger.runs.keys())
    if (!ledger.added.has(key) && !ledger.added.has(key.split('>')[0] as string)) problems.push(`never added: ${key}`)
    else if (key.includes('>')) count(sorted(ledger, key), false)
  problems.push(...disorderOf(ledger, remains))

  const dead: Record<string, number> = {}
  for (const reason of remains.dead.values()) dead[reason] = (dead[reason] ?? 0) + 1
  const all = [...ledger.added.values()]
  const acknowledged = all.filter(({ ackedUs }) => ackedUs !== undefined).length
  const refused = [...ledger.workers.values()].reduce((sum, { refusals }) => sum + (refusals.at(-1)?.total ?? 0), 0)
  const forgettable = all.filter(({ ackedUs, isFirm }) => !isFirm && ackedUs !== undefined && lossOf(ledger, ackedUs))
  const stale = problems.filter((problem) => problem.startsWith('stale')).length
  const firm = all.filter(({ isFirm }) => isFirm).length
  const counts = { acknowledged, firm, forgettable: forgettable.length, stale }
  return { ...counts, unsure: all.length - acknowledged, ran, twice, forgotten, refused, dead, problems }

  function count(runs: readonly Run[], isRepeated: boolean): void {
    const ended = runs.filter(({ endedUs }) => endedUs !== undefined)
    for (const run of ended.slice(0, -1)) {
      const next = runs[runs.indexOf(run) + 1] as Run
      const cause = causeOf(run, next) ?? (isRepeated ? 'added again' : undefined)
      if (cause === undefined)
        problems.push(`twice, and nothing had happened: ${describeRun(ledger, run)}, ${describeRun(ledger, next)}`)
      else twice[cause] = (twice[cause] ?? 0) + 1
    }
  }

  /** Why the end of a run did not count; undefined where there is no reason. */
  function causeOf(run: Run, next: Run): string | undefined {
    const life = ledger.worker(run.worker)
    const endedUs = run.endedUs as number
    if (life.stops.some(([from, to]) => from <= Math.max(endedUs, next.beganUs) && to >= run.beganUs))
      return 'stood still'
    if (run.lostUs !== undefined || run.accepted === false) return 'lease lost'
    if (life.killedUs !== undefined && life.killedUs <= next.beganUs + TELLING_US)
      if (endedUs >= life.killedUs - leaseMs * 1_000) return 'killed'
    // Its batch was refused as a whole: that is known of how many, not of which.
    const left = refusedUnheard.get(run.worker) ?? 0
    if (left > 0 && (life.refusals.at(-1)?.us ?? 0) >= endedUs) {
      refusedUnheard.set(run.worker, left - 1)
      return 'lease lost'
    }
    // That it was given out may be forgotten as well as that it ended.
    return ledger.losses.find(({ fromUs, toUs }) => fromUs <= endedUs && toUs >= run.beganUs)?.cause
  }
}

const sorted = (ledger: Ledger, key: string): Run[] =>
  (ledger.runs.get(key) ?? []).sort((one, other) => (one.fence < other.fence ? -1 : one.fence > other.fence ? 1 : 0))

const lossOf = ({ losses }: Ledger, us: number): Loss | undefined =>
  losses.find(({ fromUs, toUs }) => fromUs <= us && us <= toUs)

/** Ends that were accepted although the job had been given to another before they were asked for, or although another had ended it. */
function staleEnds(ledger: Ledger, key: string, runs: readonly Run[], { tallies }: Remains, added: Added): string[] {
  const problems: string[] = []
  const counts = (run: Run) => run.accepted === true || tallies[childKey(key, String(run.fence))] !== undefined
  const accepted = runs.filter(counts)
  for (const run of accepted) {
    const askedUs = run.askedUs ?? run.endedUs ?? Number.POSITIVE_INFINITY
    const successor = runs.find(({ fence, beganUs }) => fence > run.fence && beganUs < askedUs)
    if (successor === undefined || added.isRepeated || lossOf(ledger, run.beganUs) || lossOf(ledger, askedUs)) continue
    problems.push(
      `stale: the end of ${describeRun(ledger, run)} was accepted after ${describeRun(ledger, successor)} had begun`,
    )
  }
  if (accepted.length > 1 && !added.isRepeated && !accepted.some((run) => lossOf(ledger, run.endedUs ?? run.beganUs)))
    problems.push(`ended twice: ${accepted.map((run) => describeRun(ledger, run)).join(', ')}`)
  return problems
}

/** What is to happen in one step with the end of a job: the count and the job that follows, both or neither, once. */
function effectsOf(ledger: Ledger, key: string, runs: readonly Run[], { tallies }: Remains): string[] {
  const problems: string[] = []
  for (const run of runs) {
    const child = childKey(key, String(run.fence))
    const tallied = tallies[child] ?? 0
    const followed = ledger.runs.get(child)?.some(({ endedUs }) => endedUs !== undefined) === true
    const mayBeForgotten = lossOf(ledger, run.endedUs ?? run.beganUs) !== undefined
    if (tallied > 1) problems.push(`effects: ${child} was counted ${tallied} times`)
    if (tallied > 0 && !followed) problems.push(`effects: ${child} was counted, and what was to follow never ran`)
    if (tallied === 0 && followed && !mayBeForgotten) problems.push(`effects: ${child} ran, and was never counted`)
  }
  return problems
}

/** Of a group: none begins before the one before it has ended. */
function disorderOf(ledger: Ledger, { dead }: Remains): string[] {
  const problems: string[] = []
  const last = new Map<string, { readonly key: string; readonly endedUs: number }>()
  for (const [key, { job, ackedUs }] of ledger.added) {
    // Of one that was buried by crashes the place is lost; one that nobody is sure of may be anywhere.
    if (job.kind !== 'grouped' || ackedUs === undefined || dead.has(key)) continue
    const runs = ledger.runs.get(key) ?? []
    const endedUs = Math.min(...runs.map((run) => run.endedUs ?? Number.POSITIVE_INFINITY))
    if (endedUs === Number.POSITIVE_INFINITY) continue
    const beganUs = Math.min(...runs.map((run) => run.beganUs))
    const before = last.get(groupOf(job))
    if (before !== undefined && beganUs < before.endedUs)
      problems.push(`order: ${key} began ${before.endedUs - beganUs} µs before the end of ${before.key}`)
    last.set(groupOf(job), { key, endedUs })
  }
  return problems
}

function describe({ job, ackedUs, isFirm }: Added): string {
  return `${job.key} (${job.kind}${isFirm ? ', on every replica' : ''}), acknowledged at ${ackedUs} µs`
}

function describeRun({ startUs }: Ledger, { worker, fence, beganUs, endedUs }: Run): string {
  const ms = (us: number) => ((us - startUs) / 1_000).toFixed(1)
  return `${worker}'s delivery ${fence} (${ms(beganUs)} to ${endedUs === undefined ? '?' : ms(endedUs)} ms)`
}
