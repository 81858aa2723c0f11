import { checkBoolean, checkInteger, checkKnown, checkName, checkOneOf } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { type Algorithm, type Bounds, LETTERS, type Rule } from './rules.ts'

export interface RuleOptions {
  /** Most that is admitted in `per`: a whole number of 1 to 10^12 (`log` and `concurrency`: to 10,000), or a function of the id. */
  readonly limit: number | ((id: string) => number)
  /** The time that the limit is for; for `concurrency`, how long a permit lasts that nobody gives back, by default `'1m'`. */
  readonly per?: Duration
  /** Default `'gcra'`. */
  readonly algorithm?: Algorithm
  /** For `gcra` and `bucket`: most at once. Default `limit`. */
  readonly burst?: number
  /** Visible ASCII, at most 64 letters: in results and headers. Default `per` as it is spelt shortest, such as `1s`, or the algorithm. */
  readonly name?: string
}

export interface LimiterOptions {
  /** One to 16 rules. All must admit a call. */
  readonly rules: readonly RuleOptions[]
  /**
   * What `consume` and `peek` answer while Redis cannot be asked, or is full: `'allow'`, `'deny'`, or what a limiter of this process alone
   * says, `'local'`. Default: the error is thrown.
   */
  readonly whenDown?: 'allow' | 'deny' | 'local' | 'throw'
  /** For `whenDown: 'local'`: this process's share of each limit, above 0 to 1, at least 1 of each. Default 1. */
  readonly localShare?: number
  /**
   * Keep refusals in this process until the moment at which they may end, and refuse without asking. Never wrong but after a refund, a
   * reset, the end of a block or a raised limit by another process. Default false.
   */
  readonly rememberRefusals?: boolean
  /** Deadline of each call. Default: that of the instance. */
  readonly timeout?: Duration
}

export interface ConsumeOptions {
  /** How much. A whole number from 0, at most what the rules admit at once. Default 1. */
  readonly cost?: number
  /** The limits of this caller, by the names of the rules. Default: the rules' own. */
  readonly limits?: Readonly<Record<string, number>>
  /** Stops waiting with `signal.reason`; what was sent may have been admitted. */
  readonly signal?: AbortSignal
}

export interface ResolvedLimiterOptions {
  readonly rules: readonly Rule[]
  readonly whenDown: 'allow' | 'deny' | 'local' | 'throw'
  readonly localShare: number
  readonly rememberRefusals: boolean
  readonly timeoutMs: number | undefined
}

const ALGORITHMS = Object.keys(LETTERS) as Algorithm[]
const MOST = 1e12
/** What is kept by call: bounds the work of one call, and the memory of one id. */
const MOST_KEPT = 10_000

export function resolveLimiterOptions(options: LimiterOptions): ResolvedLimiterOptions {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('options', 'an object with at least { rules }', options)
  checkKnown('', options, ['rules', 'whenDown', 'localShare', 'rememberRefusals', 'timeout'])
  const { whenDown = 'throw', localShare = 1, timeout } = options
  if (typeof localShare !== 'number' || !(localShare > 0 && localShare <= 1))
    throw new ConfigError('localShare', 'a number above 0, to 1', localShare)
  return {
    rules: resolveRules(options.rules),
    whenDown: checkOneOf('whenDown', whenDown, ['allow', 'deny', 'local', 'throw']),
    localShare,
    rememberRefusals: checkBoolean('rememberRefusals', options.rememberRefusals ?? false),
    timeoutMs: timeout === undefined ? undefined : toMs(timeout, 'timeout'),
  }
}

function resolveRules(rules: readonly RuleOptions[]): readonly Rule[] {
  if (!Array.isArray(rules) || rules.length === 0 || rules.length > 16)
    throw new ConfigError('rules', 'a list of 1 to 16 rules', rules)
  const names = new Set<string>()
  const fields = new Set<string>()
  return rules.map((rule, i) => resolveRule(rule, `rules[${i}]`, names, fields))
}

function resolveRule(rule: RuleOptions, where: string, names: Set<string>, fields: Set<string>): Rule {
  if (typeof rule !== 'object' || rule === null) throw new ConfigError(where, 'a rule', rule)
  checkKnown(where, rule, ['limit', 'per', 'algorithm', 'burst', 'name'])
  const algorithm = checkOneOf(`${where}.algorithm`, rule.algorithm ?? 'gcra', ALGORITHMS)
  const { limit, burst } = rule
  if (typeof limit !== 'function') checkLimit(`${where}.limit`, limit, algorithm)
  if (rule.per === undefined && algorithm !== 'concurrency')
    throw new ConfigError(`${where}.per`, "a duration such as '1s'", undefined)
  const perMs = toMs(rule.per ?? '1m', `${where}.per`)
  if (burst !== undefined && algorithm !== 'gcra' && algorithm !== 'bucket')
    throw new ConfigError(`${where}.burst`, "nothing, for any algorithm but 'gcra' and 'bucket'", burst)
  const name = checkRuleName(`${where}.name`, rule.name) ?? freeName(nameOf(algorithm, perMs), names)
  if (names.has(name)) throw new ConfigError(`${where}.name`, 'a name that no other rule has', name)
  names.add(name)
  const perUs = perMs * 1_000
  const field = freeName(`${LETTERS[algorithm]}${perUs}`, fields)
  fields.add(field)
  return {
    ...{ name, algorithm, limit, perMs, perUs, field },
    burst: burst === undefined ? undefined : checkInteger(`${where}.burst`, burst, 1, MOST),
  }
}

function checkLimit(option: string, limit: unknown, algorithm: Algorithm): number {
  const kept = algorithm === 'log' || algorithm === 'concurrency'
  return checkInteger(option, limit, 1, kept ? MOST_KEPT : MOST)
}

function checkRuleName(option: string, name: unknown): string | undefined {
  if (name === undefined) return undefined
  if (typeof name !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(name))
    throw new ConfigError(option, '1 to 64 letters of visible ASCII', name)
  return name
}

const UNITS = [['d', 86_400_000] as const, ['h', 3_600_000] as const, ['m', 60_000] as const, ['s', 1_000] as const]

function nameOf(algorithm: Algorithm, perMs: number): string {
  if (algorithm === 'concurrency') return algorithm
  const unit = UNITS.find(([, ms]) => perMs % ms === 0)
  return unit === undefined ? `${perMs}ms` : `${perMs / unit[1]}${unit[0]}`
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name
  let n = 2
  while (taken.has(`${name}#${n}`)) n++
  return `${name}#${n}`
}

/** The rules' bounds for one caller; the same list each time where they are the same for all. */
export function boundsOf(rules: readonly Rule[], id: string, limits: ConsumeOptions['limits']): readonly Bounds[] {
  if (limits !== undefined) {
    checkKnown(
      'limits',
      limits,
      rules.map(({ name }) => name),
    )
  }
  return rules.map(({ name, limit, burst, algorithm }) => {
    const given = limits?.[name] ?? (typeof limit === 'function' ? limit(id) : limit)
    checkLimit(limits?.[name] === undefined ? `the limit of rule '${name}'` : `limits.${name}`, given, algorithm)
    return { limit: given, most: burst ?? given }
  })
}

/** A cost that the rules can admit at all. */
export function checkCost(cost: unknown, rules: readonly Rule[], bounds: readonly Bounds[]): number {
  const checked = checkInteger('cost', cost, 0, MOST)
  for (let i = 0; i < bounds.length; i++) {
    const { most } = bounds[i] as Bounds
    if (checked > most)
      throw new ConfigError('cost', `at most ${most}, which rule '${rules[i]?.name}' admits at once`, cost)
  }
  return checked
}

export function checkConsume(options: ConsumeOptions | undefined): void {
  if (options !== undefined) checkKnown('options', options, ['cost', 'limits', 'signal'])
}

export const checkLimitId = (id: unknown): string => checkName('id', id)
