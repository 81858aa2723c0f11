import { createHash } from 'node:crypto'
import type { CallOptions } from '../call.ts'
import type { Arg, Reply } from '../wire.ts'

/** A script that is run on a server of one's choice, whatever its keys. */
export interface ServerScript {
  readonly lua: string
  readonly sha: string
}

const script = (lua: string): ServerScript => ({ lua, sha: createHash('sha1').update(lua).digest('hex') })

interface Callable {
  call(command: string, args: readonly Arg[], options: CallOptions): Promise<Reply>
}

/** EVALSHA on one server, and EVAL where it does not know the script. */
export function runOn(
  server: Callable,
  { sha, lua }: ServerScript,
  keys: readonly string[],
  args: readonly Arg[],
  options: CallOptions,
): Promise<Reply> {
  return server.call('EVALSHA', [sha, keys.length, ...keys, ...args], { ...options, script: lua })
}

/**
 * Write the list on one shard, unless a newer one stands there.
 *
 * KEYS   record, mover
 * ARGV   version, revision, phase, the name of this shard, the layout as text, the mover's token or ''
 * REPLY  what stands there afterwards: layout, self; or nothing, when the token is not the mover's any more
 * WHY    `self` is written once: a server that is reached under another shard's name can be told
 */
export const RAISE = script(`#!lua flags=allow-oom
if ARGV[6] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[6] then return {} end
local version, revision = unpack(redis.call('HMGET', KEYS[1], 'version', 'revision'))
local order = tonumber(ARGV[1]) - tonumber(version or -1)
if order == 0 then order = tonumber(ARGV[2]) - tonumber(revision or -1) end
if order > 0 then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'revision', ARGV[2], 'phase', ARGV[3], 'layout', ARGV[5])
  redis.call('HSETNX', KEYS[1], 'self', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'layout', 'self')
`)

/**
 * On the old shard: put keys aside under their moving names, where nobody uses them, and read them.
 *
 * KEYS   record, then by key two: the key, its moving name
 * ARGV   version, most bytes of a reply
 * REPLY  'other' when this shard is not in that step of that version; else 'lifted' and by key two: its dump or '', and its PTTL;
 *        -2 for none, -3 for one that is left for the next call
 * WHY    what is aside already is what counts: a key beside it was written by a caller who slept through a whole step of the move
 * COST   O(bytes)
 */
export const LIFT = script(`#!lua flags=allow-oom
local version, phase = unpack(redis.call('HMGET', KEYS[1], 'version', 'phase'))
if version ~= ARGV[1] or phase ~= 'pulling' then return {'other'} end
local reply, bytes, most = {'lifted'}, 0, tonumber(ARGV[2])
for i = 2, #KEYS, 2 do
  local dump, ttl = '', -3
  if bytes < most then
    if redis.call('EXISTS', KEYS[i + 1]) == 0 and redis.call('EXISTS', KEYS[i]) == 1 then
      redis.call('RENAME', KEYS[i], KEYS[i + 1])
    end
    dump = redis.call('DUMP', KEYS[i + 1]) or ''
    ttl = redis.call('PTTL', KEYS[i + 1])
    bytes = bytes + #dump
  end
  reply[#reply + 1] = dump
  reply[#reply + 1] = ttl
end
return reply
`)

/**
 * On the new shard: restore keys that have not arrived in this version yet.
 *
 * KEYS   record, then by key two: the key, its mark of arrival
 * ARGV   version, how long a mark stands in ms, then by key two: its dump, its PTTL
 * REPLY  'other' as above; else 'landed' and how many were restored
 * WHY    the mark keeps a second arrival from bringing back what was deleted in between. One that stands already was made here by
 *        its new users, who had looked at the old place and found nothing.
 * COST   O(bytes)
 */
export const LAND = script(`#!lua
local version, phase = unpack(redis.call('HMGET', KEYS[1], 'version', 'phase'))
if version ~= ARGV[1] or phase ~= 'pulling' then return {'other'} end
local landed = 0
for i = 2, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    if redis.call('EXISTS', KEYS[i]) == 0 then
      local ttl = tonumber(ARGV[i + 2])
      redis.call('RESTORE', KEYS[i], ttl == -1 and 0 or math.max(ttl, 1), ARGV[i + 1])
      landed = landed + 1
    end
    redis.call('SET', KEYS[i + 1], '1', 'PX', ARGV[2])
  end
end
return {'landed', landed}
`)

/**
 * Take or keep the right to move.
 *
 * KEYS   mover
 * ARGV   token, for how long in ms; 0 gives it back
 * REPLY  1 when it is ours (or was given back), 0 when it is another's
 */
export const CLAIM = script(`#!lua flags=allow-oom
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('UNLINK', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
`)
