// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** take the right to persist, and what is due. */
export const claimScript = defineScript<{ readonly dirty: Key; readonly due: Key; readonly writes: Key; readonly tries: Key; readonly lease: Key }, { readonly token: string; readonly leaseMs: number; readonly most: number; readonly all: string }, ClaimReply>({
  name: 'dirty/claim',
  sha: 'c09b09fc965e39bbae45e496122396a22ebc889d',
  flags: ["allow-oom"],
  keys: ["dirty","due","writes","tries","lease"],
  args: ["token","leaseMs","most","all"],
  replies: {"claimed":["int","bytes…"],"busy":["int"]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal other = call('SET', KEYS[5], ARGV[1], 'NX', 'GET', 'PX', ARGV[2])\nif other and other ~= ARGV[1] then return {'busy', call('PTTL', KEYS[5])} end\nif other then call('PEXPIRE', KEYS[5], ARGV[2]) end\nlocal reply = {'claimed', -1}\nlocal ids = call('ZRANGE', KEYS[2], '-inf', ARGV[4] == '1' and '+inf' or string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[3])\nfor _, id in ipairs(ids) do\n  local record = call('HGET', KEYS[3], id)\n  if record then\n    for _, part in ipairs({id, record, call('HGET', KEYS[4], id) or '0'}) do reply[#reply + 1] = part end\n  else\n    call('ZREM', KEYS[2], id)\n    call('ZREM', KEYS[1], id)\n  end\nend\nif #ids == 0 then\n  local first = call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')\n  if first[2] then reply[2] = math.max(0, first[2] - now) end\n  call('DEL', KEYS[5])\nend\nreturn reply\n",
})
export type ClaimReply = readonly [word: 'claimed', nextMs: number, ...records: readonly Buffer[]] | readonly [word: 'busy', leftMs: number]

/** how far the system of record is behind, of one place. */
export const inspectScript = defineScript<{ readonly dirty: Key; readonly dead: Key }, Record<never, never>, InspectReply>({
  name: 'dirty/inspect',
  sha: 'd7b8abfb9105d8ac8357426dc651097e325dfdca',
  flags: ["no-writes"],
  keys: ["dirty","dead"],
  args: [],
  replies: {"seen":["int","int","int"]},
  lua: "#!lua flags=no-writes\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')\nreturn {\n  'seen', redis.call('ZCARD', KEYS[1]), oldest[2] and math.max(0, now - oldest[2]) or 0, redis.call('HLEN', KEYS[2]),\n}\n",
})
export type InspectReply = readonly [word: 'seen', count: number, ageMs: number, dead: number]

/** have a write that was given up persisted after all. */
export const redriveScript = defineScript<{ readonly dirty: Key; readonly due: Key; readonly writes: Key; readonly dead: Key; readonly value: Key; readonly lease: Key; readonly fence: Key }, { readonly id: string }, RedriveReply>({
  name: 'dirty/redrive',
  sha: 'b3068bce890f97da296ea16ccb319855d4537b5b',
  flags: [],
  keys: ["dirty","due","writes","dead","value","lease","fence"],
  args: ["id"],
  replies: {"redriven":[],"gone":[]},
  lua: "#!lua\nlocal call = redis.call\nlocal id = ARGV[1]\nlocal dead = call('HGET', KEYS[4], id)\nif not dead then return {'gone'} end\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\ncall('HDEL', KEYS[4], id)\ncall('HSET', KEYS[3], id, string.sub(dead, string.find(dead, '\\n', 1, true) + 1))\ncall('ZADD', KEYS[1], now, id)\ncall('ZADD', KEYS[2], now, id)\ncall('UNLINK', KEYS[5], KEYS[6])\ncall('ZADD', KEYS[7], 9999999999999, 'unpersisted')\ncall('PERSIST', KEYS[7])\nreturn {'redriven'}\n",
})
export type RedriveReply = readonly ['redriven'] | readonly ['gone']

/** say what came of persisting. */
export const settleScript = defineScript<{ readonly dirty: Key; readonly due: Key; readonly writes: Key; readonly tries: Key; readonly dead: Key; readonly lease: Key; readonly entries: readonly (Key)[] }, { readonly token: string; readonly giveUpMs: number; readonly settled: readonly (Buffer | string)[] }, SettleReply>({
  name: 'dirty/settle',
  sha: '736e4bea63ce6f067fda01a4629494d1b948c47f',
  flags: ["allow-oom"],
  keys: ["dirty","due","writes","tries","dead","lease","entries…"],
  args: ["token","giveUpMs","settled…"],
  replies: {"settled":[],"lost":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nif call('GET', KEYS[6]) ~= ARGV[1] then return {'lost'} end\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal key = 7\nfor i = 3, #ARGV, 5 do\n  local id, version, word, ms, what = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]\n  local value, fence = KEYS[key], KEYS[key + 1]\n  key = key + 2\n  local record = call('HGET', KEYS[3], id)\n  if record and string.sub(record, 1, 16) ~= version then\n    call('ZADD', KEYS[1], string.format('%.0f', math.floor(string.sub(record, 1, 16) / 1000)), id)\n    call('ZADD', KEYS[2], now, id)\n    record = nil\n  end\n  if record and word ~= 'clean' and what ~= '' and now - math.floor(string.sub(record, 1, 16) / 1000) >= tonumber(ARGV[2]) then\n    word = 'dead'\n  end\n  if record and (word == 'failed' or word == 'waits') then\n    if word == 'failed' or not call('HGET', KEYS[4], id) then call('HINCRBY', KEYS[4], id, 1) end\n    call('ZADD', KEYS[2], now + ms, id)\n  elseif record then\n    if word == 'dead' then\n      local tried = (call('HGET', KEYS[4], id) or '0') + 1\n      call('HSET', KEYS[5], id, string.format('%.0f %d ', now, tried) .. what .. '\\n' .. record)\n    end\n    call('HDEL', KEYS[3], id)\n    call('HDEL', KEYS[4], id)\n    call('ZREM', KEYS[1], id)\n    call('ZREM', KEYS[2], id)\n    call('ZREM', fence, 'unpersisted')\n    if word == 'clean' and what ~= '' then\n      call('SET', value, what, 'XX', 'PX', ms)\n    else\n      call('UNLINK', value)\n    end\n  end\nend\nreturn {'settled'}\n",
})
export type SettleReply = readonly ['settled'] | readonly ['lost']

/** put a write on record that is yet to be persisted, and show it at once. */
export const writeScript = defineScript<{ readonly dirty: Key; readonly due: Key; readonly writes: Key; readonly tries: Key; readonly state: Key; readonly dead: Key; readonly value: Key; readonly lease: Key; readonly fence: Key }, { readonly id: string; readonly op: string; readonly record: Buffer | string; readonly shown: Buffer | string; readonly delayMs: number; readonly most: number; readonly oldestMs: number; readonly channel: string }, WriteReply>({
  name: 'dirty/write',
  sha: '96957be7801353f39967a8ecf64ccdee27480189',
  flags: [],
  keys: ["dirty","due","writes","tries","state","dead","value","lease","fence"],
  args: ["id","op","record","shown","delayMs","most","oldestMs","channel"],
  replies: {"written":["text"],"full":["int","int"]},
  lua: "#!lua\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal micros = clock[1] * 1000000 + clock[2]\nlocal now = math.floor(micros / 1000)\nlocal id = ARGV[1]\nlocal isKnown = call('ZSCORE', KEYS[1], id)\nlocal oldest = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')\nlocal age = oldest[2] and math.max(0, now - oldest[2]) or 0\nlocal count = call('ZCARD', KEYS[1])\nlocal hasFailed = isKnown and call('HGET', KEYS[4], id)\nif (age > tonumber(ARGV[7]) and not hasFailed) or (not isKnown and count >= tonumber(ARGV[6])) then return {'full', count, age} end\nlocal version = string.format('%016.0f', math.max(micros, tonumber(call('HGET', KEYS[5], 'version') or '0') + 1))\ncall('HSET', KEYS[5], 'version', version)\ncall('HSET', KEYS[3], id, version .. ARGV[2] .. ARGV[3])\ncall('ZADD', KEYS[1], 'NX', now, id)\nif call('HDEL', KEYS[4], id) == 1 or not isKnown then call('ZADD', KEYS[2], now + ARGV[5], id) end\ncall('HDEL', KEYS[6], id)\ncall('SET', KEYS[7], ARGV[4])\nlocal ended = call('DEL', KEYS[8])\ncall('ZADD', KEYS[9], 9999999999999, 'unpersisted')\ncall('PERSIST', KEYS[9])\nif ended == 1 and ARGV[8] ~= '' then call('PUBLISH', ARGV[8], KEYS[7]) end\nreturn {'written', version}\n",
})
export type WriteReply = readonly [word: 'written', version: string] | readonly [word: 'full', count: number, ageMs: number]
