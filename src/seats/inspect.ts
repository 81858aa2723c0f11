import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import type { EventKeys } from './keys.ts'
import { readScript } from './lua.generated.ts'
import type { SeatCounts } from './outcomes.ts'

/** An event at one moment. */
export interface EventSnapshot {
  readonly nowMs: number
  /** Ids of the first and the last entry of the log; empty where there is none. */
  readonly first: string
  readonly last: string
  /** The map as it is stored. */
  readonly cells: string
  readonly version: number
  readonly state: 'open' | 'paused'
  /** The state as it is stored. */
  readonly stateWord: string
  readonly layout: string
  readonly limit: number
  readonly held: number
  readonly sold: number
  readonly nextDueMs: number
  readonly seats: number
  readonly blocked: number
  readonly bornVersion: number
  readonly keep: number
}

/** Map, counts and ends of the log, of one moment; undefined where there is no event. */
export async function readEvent(
  redis: Redis,
  keys: EventKeys,
  operation = 'seats.read',
): Promise<EventSnapshot | undefined> {
  const { event, map, log } = keys
  const reply = await readScript.run(redis, { event, map, log }, {}, { operation, repeat: true })
  if (reply[0] === 'no-event') return undefined
  const [, nowMs, first, last, cells, version, state, layout, limit, held, sold, next, seats, blocked, born, keep] =
    reply
  return {
    ...{ nowMs, first, last, cells, version: Number(version), layout, limit: Number(limit) },
    ...{ state: state === 'open' ? 'open' : 'paused', stateWord: state, held: Number(held), sold: Number(sold) },
    ...{
      nextDueMs: next === 'inf' ? Number.POSITIVE_INFINITY : Number(next === '' ? Number.NaN : next),
      seats: Number(seats),
    },
    ...{ blocked: Number(blocked), bornVersion: Number(born), keep: Number(keep) },
  }
}

const NO_COUNTS = { total: 0, free: 0, held: 0, offered: 0, sold: 0, blocked: 0 }

/** How many seats are in which state: one read of a few fields. */
export async function inspectCounts(redis: Redis, keys: EventKeys): Promise<SeatCounts> {
  const fields = ['version', 'state', 'seats', 'blocked', 'held', 'sold']
  const reply = (await redis.call(keys.event, 'HMGET', [keys.event, ...fields], {
    operation: 'seats.counts',
    repeat: true,
  })) as readonly Reply[]
  if (reply[0] === null) return { status: 'no-event', version: 0, ...NO_COUNTS }
  const [version = 0, , total = 0, blocked = 0, held = 0, sold = 0] = reply.map(Number)
  return {
    status: reply[1] === 'open' ? 'open' : 'paused',
    ...{ version, total, free: total - blocked - held - sold, held, offered: 0, sold, blocked },
  }
}

/** The fields of the event's hash, in pages beside other callers' commands. */
export async function* scanFields(
  redis: Redis,
  keys: EventKeys,
  operation: string,
): AsyncGenerator<readonly (readonly [field: string, value: string])[]> {
  yield* scanPairs(redis, 'HSCAN', keys, keys.event, operation)
}

/** The members of the event's `due` with their scores, in pages. */
export async function* scanDue(
  redis: Redis,
  keys: EventKeys,
  operation: string,
): AsyncGenerator<readonly (readonly [member: string, score: string])[]> {
  yield* scanPairs(redis, 'ZSCAN', keys, keys.due, operation)
}

async function* scanPairs(
  redis: Redis,
  command: 'HSCAN' | 'ZSCAN',
  keys: EventKeys,
  key: EventKeys['event'],
  operation: string,
): AsyncGenerator<readonly (readonly [string, string])[]> {
  let cursor = '0'
  do {
    const reply = (await redis.call(keys.event, command, [key, cursor, 'COUNT', 500], {
      operation,
      repeat: true,
    })) as readonly Reply[]
    cursor = String(reply[0])
    const flat = reply[1] as readonly string[]
    const pairs: (readonly [string, string])[] = []
    for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1] as string])
    yield pairs
  } while (cursor !== '0')
}
