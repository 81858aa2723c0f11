// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** the places within a shape, the nearest or the farthest of them. */
export const findScript = defineScript<{ readonly cells: Key }, { readonly lon: string; readonly lat: string; readonly most: string; readonly west: string; readonly width: string; readonly south: string; readonly north: string; readonly limit: number; readonly sign: number; readonly looks: number; readonly cells: readonly (string)[] }, FindReply>({
  name: 'geo/find',
  sha: '87d6cad947590832c6cbedbe222291ded57eafa3',
  flags: ["no-writes"],
  keys: ["cells"],
  args: ["lon","lat","most","west","width","south","north","limit","sign","looks","cells…"],
  replies: {"found":["bytes…"],"more":["int","text","bytes…"]},
  lua: "#!lua flags=no-writes\nlocal call, read, sin, cos, rad = redis.call, struct.unpack, math.sin, math.cos, math.pi / 360\nlocal lon, lat, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\nlocal west, width, south, north = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])\nlocal limit, sign, looks = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])\nlocal cosine, keys, members, count = cos(2 * lat * rad), {}, {}, 0\nlocal function up(i, key, member)\n  while i > 1 do\n    local parent = math.floor(i / 2)\n    if keys[parent] >= key then break end\n    keys[i], members[i] = keys[parent], members[parent]\n    i = parent\n  end\n  keys[i], members[i] = key, member\nend\nlocal function down(key, member)\n  local i = 1\n  while 2 * i <= count do\n    local child = 2 * i\n    if child < count and keys[child + 1] > keys[child] then child = child + 1 end\n    if keys[child] <= key then break end\n    keys[i], members[i] = keys[child], members[child]\n    i = child\n  end\n  keys[i], members[i] = key, member\nend\nlocal function look(member)\n  local x, y = read('<dd', member)\n  if y < south or y > north or (width < 360 and (x - west) % 360 > width) then return end\n  local a, b = sin((y - lat) * rad), sin((x - lon) * rad)\n  local haversine = a * a + cosine * cos(2 * y * rad) * b * b\n  if haversine > most then return end\n  local key = haversine * sign\n  if count < limit then\n    count = count + 1\n    up(count, key, member)\n  elseif key < keys[1] then\n    down(key, member)\n  end\nend\nfor i = 11, #ARGV, 2 do\n  local seen, total, start = 0, call('ZCOUNT', KEYS[1], ARGV[i], ARGV[i + 1]), 0\n  if total > 0 then start = call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[i]) end\n  while seen < total do\n    local lot = call('ZRANGE', KEYS[1], start + seen, start + math.min(seen + 500, total) - 1)\n    for j = 1, #lot do look(lot[j]) end\n    looks, seen = looks - #lot, seen + #lot\n    if sign == 0 and count == limit then return {'found', unpack(members, 1, count)} end\n    if looks <= 0 and seen < total then\n      local cell = call('ZSCORE', KEYS[1], lot[#lot])\n      if tonumber(cell) > tonumber(ARGV[i]) then return {'more', (i - 11) / 2, cell, unpack(members, 1, count)} end\n    end\n  end\n  if looks <= 0 and i + 2 < #ARGV then return {'more', (i - 9) / 2, ARGV[i + 2], unpack(members, 1, count)} end\nend\nreturn {'found', unpack(members, 1, count)}\n",
})
export type FindReply = readonly [word: 'found', ...places: readonly Buffer[]] | readonly [word: 'more', ranges: number, cell: string, ...places: readonly Buffer[]]

/** places are here from now on. */
export const putScript = defineScript<{ readonly at: Key; readonly cells: Key }, { readonly places: readonly (Buffer | string)[] }, PutReply>({
  name: 'geo/put',
  sha: 'bf86e72549991e7bfe0b51e72e2bc11a8c5ef9c1',
  flags: [],
  keys: ["at","cells"],
  args: ["places…"],
  replies: {"put":[]},
  lua: "#!lua\nfor i = 1, #ARGV, 3 do\n  local id, here = ARGV[i], ARGV[i + 1]\n  local before = redis.call('HGET', KEYS[1], id)\n  if before ~= here then\n    if before then redis.call('ZREM', KEYS[2], before .. id) end\n    redis.call('HSET', KEYS[1], id, here)\n  end\n  redis.call('ZADD', KEYS[2], ARGV[i + 2], here .. id)\nend\nreturn {'put'}\n",
})
export type PutReply = readonly ['put']

/** places are nowhere from now on; tell where they were. */
export const removeSplitScript = defineScript<{ readonly at: Key }, { readonly ids: readonly (string)[] }, RemoveSplitReply>({
  name: 'geo/remove-split',
  sha: '970debd2d66c35be357405d94fb700791d262b43',
  flags: ["allow-oom"],
  keys: ["at"],
  args: ["ids…"],
  replies: {"removed":["bytes…"]},
  lua: "#!lua flags=allow-oom\nlocal reply = {'removed'}\nfor i = 1, #ARGV do\n  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) or ''\n  redis.call('HDEL', KEYS[1], ARGV[i])\nend\nreturn reply\n",
})
export type RemoveSplitReply = readonly [word: 'removed', ...before: readonly Buffer[]]

/** places are nowhere from now on. */
export const removeScript = defineScript<{ readonly at: Key; readonly cells: Key }, { readonly ids: readonly (string)[] }, RemoveReply>({
  name: 'geo/remove',
  sha: 'eff04400cc26d37aebb464b121e674971bf78148',
  flags: ["allow-oom"],
  keys: ["at","cells"],
  args: ["ids…"],
  replies: {"removed":[]},
  lua: "#!lua flags=allow-oom\nfor i = 1, #ARGV do\n  local before = redis.call('HGET', KEYS[1], ARGV[i])\n  if before then\n    redis.call('ZREM', KEYS[2], before .. ARGV[i])\n    redis.call('HDEL', KEYS[1], ARGV[i])\n  end\nend\nreturn {'removed'}\n",
})
export type RemoveReply = readonly ['removed']

/** whether places are, or may still come to be, where cells say. */
export const standScript = defineScript<{ readonly at: Key }, { readonly lostS: number; readonly entries: readonly (Buffer | string)[] }, StandReply>({
  name: 'geo/stand',
  sha: '7717b9dfacd16de8d5aa15d5d5cf1097d04fa180',
  flags: ["no-writes"],
  keys: ["at"],
  args: ["lostS","entries…"],
  replies: {"stand":["int…"]},
  lua: "#!lua flags=no-writes\nlocal now = tonumber(redis.call('TIME')[1])\nlocal reply = {'stand'}\nfor i = 2, #ARGV, 2 do\n  local entry = ARGV[i + 1]\n  local is_lost = math.abs(now - struct.unpack('<I4', entry, 17)) > tonumber(ARGV[1])\n  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) == entry and 1 or is_lost and -1 or 0\nend\nreturn reply\n",
})
export type StandReply = readonly [word: 'stand', ...verdicts: readonly number[]]

/** say where places are, and tell where they were. */
export const swapScript = defineScript<{ readonly at: Key }, { readonly lateS: number; readonly places: readonly (Buffer | string)[] }, SwapReply>({
  name: 'geo/swap',
  sha: 'cc1e628d56fa86e9478d31232d68b4311d1e43af',
  flags: [],
  keys: ["at"],
  args: ["lateS","places…"],
  replies: {"swapped":["bytes…"],"late":["int"]},
  lua: "#!lua\nlocal now = tonumber(redis.call('TIME')[1])\nfor i = 3, #ARGV, 2 do\n  if math.abs(now - struct.unpack('<I4', ARGV[i], 17)) > tonumber(ARGV[1]) then return {'late', now} end\nend\nlocal reply = {'swapped'}\nfor i = 2, #ARGV, 2 do\n  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) or ''\n  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])\nend\nreturn reply\n",
})
export type SwapReply = readonly [word: 'swapped', ...before: readonly Buffer[]] | readonly [word: 'late', nowS: number]
