import { decode } from '../base/codec.ts'
import type { Redis } from '../redis/redis.ts'
import { atMsOf, fieldsOf } from './entry.ts'
import type { GroupKeys, LogKeys } from './keys.ts'
import { inspectScript } from './lua.generated.ts'

/** How it stands with one group. */
export interface GroupView {
  readonly name: string
  /** Entries that it has not done: those that nobody was given, and those at work or waiting for their next try. */
  readonly lag: number
  /** The number of the last entry that it was given. */
  readonly position: number
  /** Entries at work. */
  readonly active: number
  /** Entries that wait for their next try. */
  readonly retrying: number
  /** Entries that wait for one before them of their key. */
  readonly held: number
  readonly dead: number
  /** Entries that were removed before it had them, as its `dropAfter` allows. */
  readonly dropped: number
  /** Consumers whose lease stands. */
  readonly consumers: number
  /** How old the first entry is that it has not done; 0 where there is none. */
  readonly oldestMs: number
}

/** An entry that a group has given up. */
export interface DeadEntry<T> {
  readonly id: string
  readonly data: T | undefined
  readonly key: string
  /** `'failed'`: its handler, each time. `'crash'`: processes died over it. `'unreadable'`: it is no value of ours, and `data` is undefined. */
  readonly reason: 'failed' | 'crash' | 'unreadable'
  /** The message of the last error. */
  readonly error: string
  readonly attempts: number
  /** When it was given up, by the server's clock. */
  readonly diedAtMs: number
}

export async function inspectGroup(redis: Redis, keys: LogKeys, group: string): Promise<GroupView | undefined> {
  const { consumers, retry, dead, line } = keys.group(group)
  const reply = await inspectScript.run(
    redis,
    { entries: keys.entries, state: keys.state, consumers, retry, dead, line },
    { group },
    { operation: 'log.inspect', repeat: true },
  )
  if (reply[0] === 'unknown') return undefined
  const [, nowMs, added, read, dropped, pending, retrying, buried, alive, held, oldest] = reply
  return {
    ...{ name: group, lag: added - read + pending, position: read, dead: buried },
    ...{ active: pending - retrying - held, retrying, held },
    ...{ dropped, consumers: alive, oldestMs: oldest === '' ? 0 : Math.max(0, nowMs - atMsOf(oldest)) },
  }
}

/** Every group that was opened. */
export async function inspectGroups(redis: Redis, keys: LogKeys): Promise<readonly GroupView[]> {
  const options = { operation: 'log.groups', repeat: true } as const
  const fields = (await redis.call(keys.state, 'HKEYS', [keys.state], options)) as readonly string[]
  const names = fields.flatMap((field) => (field.startsWith('read:') ? [field.slice('read:'.length)] : []))
  const views = await Promise.all(names.sort().map((name) => inspectGroup(redis, keys, name)))
  return views.filter((view) => view !== undefined)
}

/** Dead entries with their places in the stream of them, the oldest first. */
export async function readDead(
  redis: Redis,
  { dead }: GroupKeys,
  limit: number,
): Promise<readonly { readonly place: string; readonly dead: DeadEntry<unknown> }[]> {
  const found: { readonly place: string; readonly dead: DeadEntry<unknown> }[] = []
  for (let start = '-'; found.length < limit; ) {
    const count = Math.min(500, limit - found.length)
    const args = [dead, start, '+', 'COUNT', count]
    const rows = await redis.call(dead, 'XRANGE', args, { operation: 'log.deadLetters', repeat: true })
    const lot = rows as readonly (readonly [string, readonly string[]])[]
    for (const [place, flat] of lot) found.push({ place, dead: toDead(place, fieldsOf(flat)) })
    if (lot.length < count) break
    start = `(${lot.at(-1)?.[0]}`
  }
  return found
}

function toDead(place: string, fields: ReadonlyMap<string, string>): DeadEntry<unknown> {
  const of = (name: string) => fields.get(name) ?? ''
  return {
    ...{
      id: of('id'),
      data: readable(of('d'), of('t')),
      key: of('k'),
      reason: of('reason') as DeadEntry<unknown>['reason'],
    },
    ...{ error: of('error'), attempts: Number(of('attempts')), diedAtMs: atMsOf(place) },
  }
}

function readable(json: string, types: string): unknown {
  try {
    return decode(json, types)
  } catch {
    return undefined
  }
}
