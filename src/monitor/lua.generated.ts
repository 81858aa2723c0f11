// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** add one batch of a metric to its cells. */
export const addScript = defineScript<{ readonly cells: readonly (Key)[] }, { readonly writer: string; readonly seq: number; readonly count: number; readonly errors: number; readonly sum: string; readonly least: string; readonly most: string; readonly more: readonly (string)[] }, AddReply>({
  name: 'monitor/add',
  sha: '8c0a0799cd6315dc3a66f57656d5584d5c923feb',
  flags: [],
  keys: ["cells…"],
  args: ["writer","seq","count","errors","sum","least","most","more…"],
  replies: {"added":[],"repeated":[]},
  lua: "#!lua\nlocal mark = 'w:' .. ARGV[1]\nif tonumber(redis.call('HGET', KEYS[1], mark) or 0) >= tonumber(ARGV[2]) then return {'repeated'} end\nredis.call('HSET', KEYS[1], mark, ARGV[2])\nfor k = 1, #KEYS do\n  local key = KEYS[k]\n  if ARGV[4] ~= '0' then redis.call('HINCRBY', key, 'e', ARGV[4]) end\n  if ARGV[3] ~= '0' then\n    redis.call('HINCRBY', key, 'n', ARGV[3])\n    redis.call('HINCRBYFLOAT', key, 's', ARGV[5])\n    local bounds = redis.call('HMGET', key, 'lo', 'hi')\n    if not bounds[1] or tonumber(ARGV[6]) < tonumber(bounds[1]) then redis.call('HSET', key, 'lo', ARGV[6]) end\n    if not bounds[2] or tonumber(ARGV[7]) > tonumber(bounds[2]) then redis.call('HSET', key, 'hi', ARGV[7]) end\n    for i = 8 + #KEYS, #ARGV, 2 do redis.call('HINCRBY', key, ARGV[i], ARGV[i + 1]) end\n  end\n  redis.call('PEXPIREAT', key, ARGV[7 + k])\nend\nreturn {'added'}\n",
})
export type AddReply = readonly ['added'] | readonly ['repeated']

/** note that a metric is being written, and forget those that have not been for long. */
export const registerScript = defineScript<{ readonly names: Key }, { readonly keepMs: number; readonly names: readonly (string)[] }, RegisterReply>({
  name: 'monitor/register',
  sha: '3f907e35e6b1c42ed2686a3551f90572b3a75bfd',
  flags: [],
  keys: ["names"],
  args: ["keepMs","names…"],
  replies: {"registered":[]},
  lua: "#!lua\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nfor i = 2, #ARGV do redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[i]) end\nredis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[1])))\nredis.call('PEXPIRE', KEYS[1], ARGV[1])\nreturn {'registered'}\n",
})
export type RegisterReply = readonly ['registered']
