// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** end a value and its log. */
export const removeScript = defineScript<{ readonly value: Key; readonly log: Key }, { readonly token: string; readonly again: string; readonly graveMs: number }, RemoveReply>({
  name: 'value/remove',
  sha: '6a72ce90a68a44a026954b85dba88cf79872863d',
  flags: ["allow-oom"],
  keys: ["value","log"],
  args: ["token","again","graveMs"],
  replies: {"removed":[],"repeated":[],"doubtful":[]},
  lua: "#!lua flags=allow-oom\nlocal function is_done(history, token)\n  return string.find(history, token, 1, true) ~= nil\nend\nlocal function is_doubtful(history, base)\n  if base ~= '*' and base ~= '' and string.find(history, base, 1, true) then return false end\n  return #history >= 384\nend\nlocal function add(history, token, restedMs)\n  if restedMs > 60000 then history = string.sub(history, -12) end\n  return string.sub(history, -372) .. token\nend\nlocal value = redis.call('HMGET', KEYS[1], 'history', 'at')\nlocal history = value[1]\nif not history then\n  redis.call('UNLINK', KEYS[2])\n  return {'removed'}\nend\nif is_done(history, ARGV[1]) then return {'repeated'} end\nif ARGV[2] == '1' and is_doubtful(history, '*') then return {'doubtful'} end\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nredis.call('UNLINK', KEYS[1], KEYS[2])\nredis.call('HSET', KEYS[1], 'version', ARGV[1], 'history', add(history, ARGV[1], now - tonumber(value[2] or now)), 'at',\n  string.format('%.0f', now))\nredis.call('PEXPIRE', KEYS[1], ARGV[3])\nreturn {'removed'}\n",
})
export type RemoveReply = readonly ['removed'] | readonly ['repeated'] | readonly ['doubtful']

/** give the value another content if it is still the version that the caller saw, and log it. */
export const writeScript = defineScript<{ readonly value: Key; readonly log: Key }, { readonly token: string; readonly base: string; readonly json: string; readonly types: string; readonly ttlMs: number; readonly again: string; readonly keep: number; readonly entry: string; readonly entryTypes: string }, WriteReply>({
  name: 'value/write',
  sha: 'a06701bcc7e62dafd0a41fb9273b05ba2797f2ec',
  flags: [],
  keys: ["value","log"],
  args: ["token","base","json","types","ttlMs","again","keep","entry","entryTypes"],
  replies: {"written":[],"repeated":[],"conflict":["text","text","text"],"doubtful":[]},
  lua: "#!lua\nlocal function is_done(history, token)\n  return string.find(history, token, 1, true) ~= nil\nend\nlocal function is_doubtful(history, base)\n  if base ~= '*' and base ~= '' and string.find(history, base, 1, true) then return false end\n  return #history >= 384\nend\nlocal function add(history, token, restedMs)\n  if restedMs > 60000 then history = string.sub(history, -12) end\n  return string.sub(history, -372) .. token\nend\nlocal value = redis.call('HMGET', KEYS[1], 'json', 'types', 'version', 'history', 'at')\nlocal version, history = value[3] or '', value[4] or ''\nif is_done(history, ARGV[1]) then return {'repeated'} end\nif ARGV[6] == '1' and is_doubtful(history, ARGV[2]) then return {'doubtful'} end\nif ARGV[2] ~= '*' and ARGV[2] ~= version then return {'conflict', value[1], value[2] or '', version} end\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nredis.call('HSET', KEYS[1], 'json', ARGV[3], 'types', ARGV[4], 'version', ARGV[1], 'history',\n  add(history, ARGV[1], now - tonumber(value[5] or now)), 'at', string.format('%.0f', now))\nif ARGV[7] ~= '0' then\n  redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[7], '*', 'json', ARGV[8], 'types', ARGV[9], 'version', ARGV[1])\nend\nlocal ttl = tonumber(ARGV[5])\nif ttl > 0 then\n  redis.call('PEXPIRE', KEYS[1], ttl)\n  redis.call('PEXPIRE', KEYS[2], ttl)\nelseif version ~= '' and (ttl == 0 or not value[1]) then\n  redis.call('PERSIST', KEYS[1])\n  redis.call('PERSIST', KEYS[2])\nelseif ARGV[7] ~= '0' then\n  local left = redis.call('PTTL', KEYS[1])\n  if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end\nend\nreturn {'written'}\n",
})
export type WriteReply = readonly ['written'] | readonly ['repeated'] | readonly [word: 'conflict', json: string, types: string, version: string] | readonly ['doubtful']
