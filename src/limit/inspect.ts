import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import { LimitKeys } from './keys.ts'
import { type Algorithm, LETTERS } from './rules.ts'

/** What a limiter did in this process since it was made. */
export interface LimiterStats {
  readonly allowed: number
  readonly refused: number
  /** Refused without asking, because a refusal was remembered. */
  readonly remembered: number
  /** Answered without Redis, because it could not be asked. */
  readonly withoutRedis: number
}

/** What is kept of one id, as it is stored. */
export interface LimitRecord {
  /** Until when nobody is admitted, in ms of the server's clock; undefined without a block. */
  readonly blockedUntilMs: number | undefined
  /** By the field of a rule (`f1000000`), its three numbers; see `lua/parts/rule.lua`. */
  readonly states: ReadonlyMap<string, readonly number[]>
}

/** What is kept of an id in the hash of its rules; undefined where there is nothing. */
export async function inspectLimit(redis: Redis, name: string, id: string): Promise<LimitRecord | undefined> {
  const state = new LimitKeys(redis.keyspace, name).state(id)
  const options = { operation: 'limit.inspect', repeat: true, bytes: true }
  const reply = (await redis.call(state, 'HGETALL', [state], options)) as readonly Buffer[]
  if (reply.length === 0) return undefined
  const states = new Map<string, readonly number[]>()
  let blockedUntilMs: number | undefined
  for (let i = 0; i < reply.length; i += 2) {
    const [field, value] = [String(reply[i]), reply[i + 1] as Buffer]
    if (field === 'blocked') blockedUntilMs = Math.ceil(Number(value) / 1_000)
    else if (field !== 'until')
      states.set(
        field,
        [0, 8, 16].map((at) => value.readDoubleLE(at)),
      )
  }
  return { blockedUntilMs, states }
}

/** What an id has used of one rule. Its limit is known to the program alone that has the limiter. */
export interface RuleUse {
  readonly algorithm: Algorithm
  readonly perMs: number
  /** Costs that still count; of `sliding` weighted, of `concurrency` permits that are out. */
  readonly used: number
  /** Of `gcra` and `bucket`: how long ago that was so. It has become less since, as fast as the limit says. */
  readonly seenMs: number | undefined
  /** When the window ends, or the next of what counts ends by itself. */
  readonly endsMs: number | undefined
}

export interface LimitUse {
  readonly name: string
  readonly id: string
  /** How long nobody is admitted under this id; undefined without a block. */
  readonly blockedMs: number | undefined
  /** Of which there is anything. */
  readonly rules: readonly RuleUse[]
}

export interface LimitUseOptions {
  /**
   * Also rules of `log` and `concurrency`: they have keys of their own, which are looked for among all keys of the one server that has the id.
   * Default false.
   */
  readonly scan?: boolean
}

/** What counts for an id now. */
export async function inspectLimitUse(
  redis: Redis,
  name: string,
  id: string,
  { scan = false }: LimitUseOptions = {},
): Promise<LimitUse> {
  const state = new LimitKeys(redis.keyspace, name).state(id)
  const [record, time, kept] = await Promise.all([
    inspectLimit(redis, name, id),
    redis.call(state, 'TIME', [], { operation: 'limit.inspect', repeat: true }),
    scan ? keptKeys(redis, state) : [],
  ])
  const [seconds, micros] = time as readonly string[]
  const nowUs = Number(seconds) * 1e6 + Number(micros)
  const uses = [...(record?.states ?? [])].map(([field, numbers]) => useOf(field, numbers, nowUs))
  const own = await Promise.all(kept.map((key) => ownUse(redis, key, key.slice(state.length + 1), nowUs)))
  const blockedMs = record?.blockedUntilMs === undefined ? 0 : record.blockedUntilMs - Math.floor(nowUs / 1_000)
  const rules = [...uses, ...own].filter(({ used }) => used > 0)
  return { name, id, blockedMs: blockedMs > 0 ? blockedMs : undefined, rules }
}

async function keptKeys(redis: Redis, state: Key): Promise<readonly Key[]> {
  const node = redis.topology.nodeOf(state)
  const found = new Set<string>()
  if (node !== undefined)
    for await (const keys of scanKeys(node, `${state}:[lc]*`, 'limit.inspect')) for (const key of keys) found.add(key)
  return [...found] as Key[]
}

/** The algorithm and `per` that a field is named after, such as `g1000000` or `g1000000#2`. */
function ruleOf(field: string): { readonly algorithm: Algorithm; readonly perUs: number } {
  const algorithm = (Object.keys(LETTERS) as Algorithm[]).find((one) => LETTERS[one] === field[0]) ?? 'gcra'
  return { algorithm, perUs: Number.parseInt(field.slice(1), 10) }
}

const msLeft = (us: number): number => Math.max(0, Math.ceil(us / 1_000))
const rounded = (cost: number): number => Math.round(cost * 100) / 100

/** See `lua/parts/rule.lua` for what the numbers of each algorithm mean. */
function useOf(field: string, [x = 0, y = 0, z = 0]: readonly number[], nowUs: number): RuleUse {
  const { algorithm, perUs } = ruleOf(field)
  const use = { algorithm, perMs: perUs / 1_000, seenMs: undefined, endsMs: undefined }
  if (algorithm === 'fixed')
    return nowUs < x + perUs ? { ...use, used: y, endsMs: msLeft(x + perUs - nowUs) } : { ...use, used: 0 }
  if (algorithm === 'sliding') {
    const window = nowUs - (nowUs % perUs)
    const [current, past] = x >= window ? [y, z] : x === window - perUs ? [0, y] : [0, 0]
    return { ...use, used: rounded(current + (past * (perUs - (nowUs - window))) / perUs) }
  }
  // By `z` the last of it has drained, whatever the limit is.
  return { ...use, used: nowUs < z ? rounded(y / perUs) : 0, seenMs: msLeft(nowUs - x) }
}

async function ownUse(redis: Redis, key: Key, field: string, nowUs: number): Promise<RuleUse> {
  const { algorithm, perUs } = ruleOf(field)
  const options = { operation: 'limit.inspect', repeat: true }
  const use = { algorithm, perMs: perUs / 1_000, seenMs: undefined }
  if (algorithm === 'concurrency') {
    const after = `(${nowUs}`
    const [used, next] = await Promise.all([
      redis.call(key, 'ZCOUNT', [key, after, '+inf'], options),
      redis.call(key, 'ZRANGEBYSCORE', [key, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1], options),
    ])
    const endsUs = (next as readonly string[])[1]
    return { ...use, used: Number(used), endsMs: endsUs === undefined ? undefined : msLeft(Number(endsUs) - nowUs) }
  }
  // Of each: when it was admitted, and its cost behind the sum so far.
  const entries = (await redis.call(key, 'LRANGE', [key, 0, -1], { ...options, bytes: true })) as readonly Buffer[]
  const counting = entries.filter((entry) => entry.readDoubleLE(0) + perUs > nowUs)
  const [first] = counting
  const used = counting.reduce((sum, entry) => sum + entry.readDoubleLE(16), 0)
  return { ...use, used, endsMs: first && msLeft(first.readDoubleLE(0) + perUs - nowUs) }
}
