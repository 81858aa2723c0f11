// Whether the figures that are found are those that were counted, by what every process has written down of itself.
import type { Loss } from '../queue/ledger.ts'
import { COOLDOWN_MS, type Kind, vanAt } from './plan.ts'

/** One process that counts, by what it wrote until it was closed or killed. */
export interface Counter {
  readonly name: string
  readonly lines: readonly string[]
}

/** What Redis tells of one process in the end. */
export interface Found {
  readonly events: number
  readonly amount: number
  readonly values: number
  readonly errors: number
  /** By `get`, and by all searches; undefined where it is nowhere. */
  readonly van: number | undefined
  readonly shown: readonly number[]
}

export interface Verdict {
  readonly tried: number
  readonly found: number
  /** Counted, and not there: of processes that were killed, and of servers that forgot. */
  readonly lost: number
  readonly trials: number
  readonly problems: readonly string[]
}

/** A server was away or changed: from then on each process may decide alone for a while, and is told late. */
export interface Disturbance {
  readonly fromUs: number
  readonly toUs: number
}

const BURST_ERRORS = 40
/** After a fault: a second without asking, and a call that was on its way. */
const ALONE_US = 2_500_000

/** What was counted of one kind, as a staircase over time. */
class Steps {
  readonly #tried: [count: number, us: number][] = []
  readonly #acked: [count: number, us: number][] = []

  constructor(lines: readonly string[], kind: Kind) {
    for (const line of lines) {
      const [verb, of, count, us] = line.split(' ')
      if (of === kind && us !== undefined)
        (verb === 'tried' ? this.#tried : this.#acked).push([Number(count), Number(us)])
    }
  }

  triedBy(us = Number.POSITIVE_INFINITY): number {
    return this.#tried.findLast(([, at]) => at <= us)?.[0] ?? 0
  }

  ackedBy(us = Number.POSITIVE_INFINITY): number {
    return this.#acked.findLast(([, at]) => at <= us)?.[0] ?? 0
  }

  /** How many a server may have forgotten: those that it may have heard of in that time. */
  forgettable({ fromUs, toUs }: Loss): number {
    return Math.max(0, this.triedBy(toUs) - this.ackedBy(fromUs))
  }

  /** The most that may be there: what was acknowledged before all was wiped is not. `wipedUs`: the last of these moments. */
  most(wipedUs: number): number {
    return this.triedBy() - this.ackedBy(wipedUs)
  }

  /** The fewest that must be there. */
  least(isClosed: boolean, losses: readonly Loss[]): number {
    const sure = isClosed ? this.triedBy() : this.ackedBy()
    return Math.max(0, sure - losses.reduce((sum, loss) => sum + this.forgettable(loss), 0))
  }
}

export function judge(
  counters: readonly Counter[],
  found: ReadonlyMap<string, Found>,
  losses: readonly Loss[],
  disturbances: readonly Disturbance[],
  wipedUs = Number.NEGATIVE_INFINITY,
): Verdict {
  const problems: string[] = []
  const sum = { tried: 0, found: 0, lost: 0 }
  for (const { name, lines } of counters) {
    const ending = lines.find((line) => line.startsWith('closed'))
    const seen = found.get(name) as Found
    for (const [kind, count] of [
      ['event', seen.events],
      ['value', seen.values],
    ] as const) {
      const steps = new Steps(lines, kind)
      const [least, most] = [steps.least(ending !== undefined, losses), steps.most(wipedUs)]
      sum.tried += steps.triedBy()
      sum.found += count
      sum.lost += Math.max(0, steps.triedBy() - count)
      if (count > most) problems.push(`above: ${name} has ${count} of ${kind}, and not the ${most} that may be there`)
      if (count < least) problems.push(`lost: ${name} has ${count} of ${kind} and not the ${least} that must be there`)
    }
    if (seen.amount !== 2 * seen.events) problems.push(`torn: ${name} has ${seen.events} events, sum ${seen.amount}`)
    if (seen.errors * BURST_ERRORS > new Steps(lines, 'value').triedBy())
      problems.push(`above: ${name} has ${seen.errors} errors`)
    problems.push(...problemsOfMoves(name, new Steps(lines, 'move'), seen, losses))
    if (ending === undefined) continue
    const [, dropped, lost, state] = ending.split(' ')
    if (dropped !== '0' || lost !== '0') problems.push(`dropped: ${name} gave up ${dropped} marks and ${lost} values`)
    if (state !== 'closed') problems.push(`stuck: the breaker of ${name} is ${state} when all is up again`)
  }
  const trials = counters.flatMap(trialsOf)
  return { ...sum, trials: trials.length, problems: [...problems, ...problemsOfTrials(trials, disturbances)] }
}

function problemsOfMoves(name: string, steps: Steps, seen: Found, losses: readonly Loss[]): readonly string[] {
  const problems: string[] = []
  const may = new Set<number>()
  // What nobody answered may have been carried out, or not; and what was acknowledged may have been forgotten.
  const first = Math.min(steps.ackedBy(), ...losses.map(({ fromUs }) => steps.ackedBy(fromUs)))
  for (let move = first; move <= steps.triedBy(); move++) may.add(vanAt(move).lon)
  if (seen.van === undefined ? first > 0 && losses.length === 0 : !may.has(seen.van))
    problems.push(`place: ${name} is at ${seen.van}, which it was not told`)
  // Of two servers one may have forgotten its half, and then no search finds it.
  const isThere = seen.shown.length === 1 && seen.shown[0] === seen.van
  const isForgotten = seen.shown.length === 0 && (seen.van === undefined || losses.length > 0)
  if (!isThere && !isForgotten)
    problems.push(`place: ${name} is at ${seen.van}, and shown at ${seen.shown.join(' and ')}`)
  return problems
}

interface Trial {
  readonly name: string
  readonly fromUs: number
  readonly toUs: number
}

/** One that begins late or lasts long counts for as long as it surely had its place. */
const trialsOf = ({ name, lines }: Counter): readonly Trial[] =>
  lines
    .filter((line) => line.startsWith('trial'))
    .map((line) => line.split(' ').map(Number))
    .map(([, askedUs = 0, fromUs = 0, toUs = 0]) => ({
      name,
      fromUs,
      toUs: Math.min(toUs, askedUs + COOLDOWN_MS * 1_000),
    }))
    .filter(({ fromUs, toUs }) => toUs > fromUs)

function problemsOfTrials(trials: readonly Trial[], disturbances: readonly Disturbance[]): readonly string[] {
  const sorted = trials
    .filter(({ fromUs }) => !disturbances.some((one) => fromUs >= one.fromUs && fromUs <= one.toUs + ALONE_US))
    .sort((a, b) => a.fromUs - b.fromUs)
  return sorted.slice(1).flatMap((trial, i) => {
    const before = sorted[i] as Trial
    if (trial.fromUs >= before.toUs) return []
    return [`two trials: of ${before.name} until ${before.toUs} and of ${trial.name} from ${trial.fromUs}`]
  })
}
