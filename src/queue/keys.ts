import { escapeLast, type Key } from '../redis/keyspace.ts'
import type { ShardKeys } from '../stream/keys.ts'

/**
 * What a queue keeps beside its streams, of the hash tag of the shard. For the first shard of the queue `email` in the namespace `shop`:
 *
 *     {shop:queue:email:0}:schedules    hash    schedules and their last slots
 *     {shop:queue:email:0}:slots        zset    schedules by their next slot
 *     {shop:queue:email:0}:tallies      hash    counts that handlers keep
 *     {shop:queue:email:0}:result:ID    string  what job ID came to, where that was asked for. As long as was asked for
 *     {shop:queue:email:0}:events       stream  what became of jobs, where that is kept, of all shards
 */
export const schedulesKey = ({ state }: ShardKeys): Key => `${state}:schedules` as Key
export const slotsKey = ({ state }: ShardKeys): Key => `${state}:slots` as Key

export const eventsKey = ({ state }: ShardKeys): Key => `${state}:events` as Key
export const talliesKey = ({ state }: ShardKeys): Key => `${state}:tallies` as Key
export const resultKey = ({ state }: ShardKeys, id: string): Key => `${state}:result:${escapeLast(id)}` as Key

/** In which shard the job of an id lives, in every process the same: that of a slot, such as `nightly@1700000000000`, where its schedule does. */
export function shardOf(id: string, shards: number): number {
  if (shards === 1) return 0
  const stem = id.replace(/(@\d+)+$/, '')
  let hash = 0x811c9dc5
  for (let i = 0; i < stem.length; i++) hash = Math.imul(hash ^ stem.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}

/** Whose child it is, and which; undefined for a job that is none. */
export function kinOf(id: string): { readonly parent: string; readonly place: string } | undefined {
  const [, parent, place] = /^(.+)@0@(\d+)$/s.exec(id) ?? []
  return parent === undefined || place === undefined ? undefined : { parent, place }
}

/** Whose child it is; '' of a job that is none. */
export const parentOf = (id: string): string => kinOf(id)?.parent ?? ''
