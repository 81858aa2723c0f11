import { decode } from '../base/codec.ts'
import type { Redis } from '../redis/redis.ts'
import { readEnvelope } from '../stream/envelope.ts'
import { AWAITED_MS, HELD, type ShardKeys, StreamKeys } from '../stream/keys.ts'
import { Layout } from '../stream/layout.ts'

/** A job that waits or runs, as it lies in its queue. */
export interface PeekedJob {
  readonly id: string
  readonly state: 'waiting' | 'active' | 'delayed'
  readonly priority: number
  /** Whose jobs run one after the other; undefined for a job by itself. */
  readonly group: string | undefined
  /** Attempts that were made before. */
  readonly attempts: number
  /** When a delayed one may run. */
  readonly dueAtMs: number | undefined
  readonly data: unknown
}

export interface PeekOptions {
  /** Most that are answered. */
  readonly limit: number
  /** How many to pass over. Default 0. */
  readonly offset?: number
}

/** One job and where it stands among all: by each number in turn, then by the text. */
interface Placed {
  readonly job: PeekedJob
  readonly rank: readonly number[]
  readonly text: string
}

const PART = { lane: 0, ranked: 1, grouped: 2, delayed: 3 } as const
const OPTIONS = { operation: 'queue.peek', repeat: true } as const
const BYTES = { ...OPTIONS, bytes: true } as const

/**
 * Jobs as they lie there, taking none: lane by lane, higher ones first and in each those that run among those that wait; then what waits by exact
 * rank; in groups, group by group; and what is delayed, the next first. What changes between two pages moves what comes after it.
 *
 * costs  as many jobs of each lane, rank, group and delay are read as are passed over and shown
 */
export async function peekJobs(
  redis: Redis,
  name: string,
  shards: number,
  { limit, offset = 0 }: PeekOptions,
): Promise<PeekedJob[]> {
  const keys = new StreamKeys(redis.keyspace, 'queue', name)
  const most = offset + limit
  const placed = await Promise.all(Array.from({ length: shards }, (_, i) => peekShard(redis, keys.shard(i), most)))
  return placed
    .flat()
    .sort(inOrder)
    .slice(offset, most)
    .map(({ job }) => job)
}

async function peekShard(redis: Redis, keys: ShardKeys, most: number): Promise<Placed[]> {
  const { state } = keys
  const layout = new Layout(redis, keys)
  layout.learn(String((await redis.call(state, 'HGET', [state, 'layout'], OPTIONS)) ?? ''))
  const found = await Promise.all([
    ...layout.priorities.map((priority) => peekLane(redis, keys, priority, most)),
    ...(layout.has(HELD) ? [peekRanked(redis, keys, most), peekGroups(redis, keys, most)] : []),
    peekDelayed(redis, keys, most),
  ])
  return found.flat()
}

async function peekLane(redis: Redis, keys: ShardKeys, priority: number, most: number): Promise<Placed[]> {
  const lane = keys.lane(priority)
  const [entries, pending] = (await Promise.all([
    redis.call(lane, 'XRANGE', [lane, '-', '+', 'COUNT', most], BYTES),
    redis.call(lane, 'XPENDING', [lane, 'g', '-', '+', most], OPTIONS),
  ])) as [[Buffer, [Buffer, Buffer]][], [string, string][]]
  // What was handed back, or waits to be given out alone, belongs to nobody.
  const held = new Set(pending.filter(([, owner]) => owner !== '~' && owner !== '!').map(([entry]) => entry))
  return entries.map(([bytes, [, body]]) => {
    const entry = String(bytes)
    const [ms, seq] = entry.split('-').map(Number)
    const job = jobOf(body, held.has(entry) ? 'active' : 'waiting')
    return { job, rank: [PART.lane, -priority, Number(ms), Number(seq)], text: '' }
  })
}

async function peekRanked(redis: Redis, keys: ShardKeys, most: number): Promise<Placed[]> {
  const rows = await scored(redis, keys.ranked, most)
  const jobs = await jobsOf(
    redis,
    keys,
    rows.map(([id]) => id),
    'waiting',
  )
  return rows.flatMap(([, score], i) => placedOf(jobs[i], [PART.ranked, score], ''))
}

async function peekGroups(redis: Redis, keys: ShardKeys, most: number): Promise<Placed[]> {
  const { grouped } = keys
  const members = (await redis.call(grouped, 'ZRANGE', [grouped, 0, most - 1], OPTIONS)) as string[]
  // Group, a zero byte, its place in the line of 17 digits, id.
  const ids = members.map((member) => member.slice(member.indexOf('\0') + 18))
  const jobs = await jobsOf(redis, keys, ids, 'waiting')
  return members.flatMap((member, i) => placedOf(jobs[i], [PART.grouped], member))
}

async function peekDelayed(redis: Redis, keys: ShardKeys, most: number): Promise<Placed[]> {
  const rows = await scored(redis, keys.delayed, most)
  const jobs = await jobsOf(
    redis,
    keys,
    rows.map(([id]) => id),
    'delayed',
  )
  return rows.flatMap(([id, dueAtMs], i) => {
    const job = jobs[i]
    const due = dueAtMs >= AWAITED_MS ? undefined : dueAtMs
    return placedOf(job === undefined ? undefined : { ...job, dueAtMs: due }, [PART.delayed, dueAtMs], id)
  })
}

async function scored(redis: Redis, key: ShardKeys['ranked'], most: number): Promise<[id: string, score: number][]> {
  const words = (await redis.call(key, 'ZRANGE', [key, 0, most - 1, 'WITHSCORES'], OPTIONS)) as string[]
  const rows: [string, number][] = []
  for (let i = 0; i + 1 < words.length; i += 2) rows.push([words[i] as string, Number(words[i + 1])])
  return rows
}

/** Undefined for one that has gone meanwhile. */
async function jobsOf(
  redis: Redis,
  { bodies }: ShardKeys,
  ids: readonly string[],
  state: PeekedJob['state'],
): Promise<readonly (PeekedJob | undefined)[]> {
  if (ids.length === 0) return []
  const found = (await redis.call(bodies, 'HMGET', [bodies, ...ids], BYTES)) as (Buffer | null)[]
  return found.map((body) => (body === null ? undefined : jobOf(body, state)))
}

function jobOf(body: Buffer, state: PeekedJob['state']): PeekedJob {
  const { id, priority, group, used, payload, types } = readEnvelope(body, 0, body.length)
  return { id, state, priority, group, attempts: used, dueAtMs: undefined, data: dataOf(payload, types) }
}

/** Undefined where it cannot be read: one such job must not hide the others. */
function dataOf(payload: string, types: string): unknown {
  try {
    return decode(payload, types)
  } catch {
    return undefined
  }
}

const placedOf = (job: PeekedJob | undefined, rank: readonly number[], text: string): Placed[] =>
  job === undefined ? [] : [{ job, rank, text }]

function inOrder(a: Placed, b: Placed): number {
  for (let i = 0; i < a.rank.length && i < b.rank.length; i++) {
    const difference = (a.rank[i] as number) - (b.rank[i] as number)
    if (difference !== 0) return difference
  }
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0
}
