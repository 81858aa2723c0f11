// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** count a lot of what happened, once. */
export const addScript = defineScript<{ readonly writer: Key; readonly more: readonly (Key)[] }, { readonly number: number; readonly lasts: number; readonly rest: readonly (string)[] }, AddReply>({
  name: 'analytics/add',
  sha: 'a6c719ef7a3ca1fad187083df076c4e4477f091b',
  flags: [],
  keys: ["writer","more…"],
  args: ["number","lasts","rest…"],
  replies: {"added":["int"],"repeated":[]},
  lua: "#!lua\nlocal call = redis.call\nif tonumber(ARGV[1]) <= tonumber(call('GET', KEYS[1]) or 0) then return {'repeated'} end\ncall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\nlocal most_names, crowded = 20000, 0\nlocal function has_room(key, field)\n  return call('HLEN', key) < most_names or call('HEXISTS', key, field) == 1\nend\nlocal function rank(key, card, most, item, by)\n  if call('ZSCORE', key, item) then\n    call('ZINCRBY', key, by, item)\n    return card\n  end\n  local least = 0\n  while card >= most do\n    least = tonumber(call('ZPOPMIN', key)[2])\n    card = card - 1\n  end\n  call('ZADD', key, string.format('%.0f', least + tonumber(by)), item)\n  return card + 1\nend\nlocal step = 1048576\nlocal function highest(key, most)\n  if call('ZCARD', key) < most then return math.huge end\n  return math.floor(tonumber(call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]) / step)\nend\nlocal function sample(key, most, id, ranked, first, last)\n  local score = tonumber(call('ZSCORE', key, id) or -1)\n  if score >= 0 then\n    local times = score % step\n    first = math.min(first, math.floor(times / 1024))\n    last = math.max(last, times % 1024)\n  else\n    local ends = highest(key, most)\n    if ranked >= ends then return end\n    if ends < math.huge then call('ZPOPMAX', key) end\n  end\n  call('ZADD', key, string.format('%.0f', ranked * step + first * 1024 + last), id)\nend\nlocal at = 2 + #KEYS\nwhile at <= #ARGV do\n  local kind, first, tiers = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])\n  local after = at + 5\n  if kind == 'u' then after = at + 4 + tonumber(ARGV[at + 3])\n  elseif kind == 'i' then after = at + 6 + tonumber(ARGV[at + 5])\n  elseif kind == 't' then after = at + 6\n  elseif kind == 's' then after = at + 5 + tonumber(ARGV[at + 4]) * (2 + 2 * tiers)\n  elseif kind == 'r' then after = at + 5 + 2 * tonumber(ARGV[at + 4]) end\n  for tier = 0, tiers - 1 do\n    local key = KEYS[first + tier]\n    if kind == 'c' or kind == 'f' then\n      if has_room(key, ARGV[at + 3]) then\n        call(kind == 'c' and 'HINCRBY' or 'HINCRBYFLOAT', key, ARGV[at + 3], ARGV[at + 4])\n      else\n        crowded = crowded + 1\n      end\n    elseif kind == 't' then\n      rank(key, call('ZCARD', key), tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5])\n    elseif kind == 'u' then\n      call('PFADD', key, unpack(ARGV, at + 4, after - 1))\n    elseif kind == 'i' then\n      local counts, field = KEYS[first + tiers + tier], ARGV[at + 4]\n      local is_new = call('EXISTS', key) == 0\n      if is_new and tonumber(call('HGET', counts, field) or 0) >= tonumber(ARGV[at + 3]) then\n        crowded = crowded + 1\n      else\n        if is_new then call('HINCRBY', counts, field, 1) end\n        call('PFADD', key, unpack(ARGV, at + 6, after - 1))\n      end\n    elseif kind == 's' then\n      local most, ends = tonumber(ARGV[at + 3]), highest(key, tonumber(ARGV[at + 3]))\n      for i = at + 5, after - 1, 2 + 2 * tiers do\n        local ranked, times = tonumber(ARGV[i + 1]), i + 2 + 2 * tier\n        if ranked <= ends then sample(key, most, ARGV[i], ranked, tonumber(ARGV[times]), tonumber(ARGV[times + 1])) end\n      end\n    else\n      call('ZADD', key, unpack(ARGV, at + 5, after - 1))\n      call('ZREMRANGEBYRANK', key, 0, -1 - tonumber(ARGV[at + 3]))\n    end\n  end\n  at = after\nend\nfor i = 2, #KEYS do call('PEXPIREAT', KEYS[i], ARGV[i + 1]) end\nreturn {'added', crowded}\n",
})
export type AddReply = readonly [word: 'added', crowded: number] | readonly ['repeated']

/** how full samples are, and the highest rank in each. */
export const fillScript = defineScript<{ readonly samples: readonly (Key)[] }, Record<never, never>, FillReply>({
  name: 'analytics/fill',
  sha: '9c2836ce3d4d8b85465013e6f58ab85d27c83723',
  flags: ["no-writes"],
  keys: ["samples…"],
  args: [],
  replies: {"fill":["text…"]},
  lua: "#!lua flags=no-writes\nlocal reply = {'fill'}\nfor i = 1, #KEYS do\n  reply[#reply + 1] = tostring(redis.call('ZCARD', KEYS[i]))\n  reply[#reply + 1] = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2] or '0'\nend\nreturn reply\n",
})
export type FillReply = readonly [word: 'fill', ...fills: readonly string[]]

/** the first items of several top lists. */
export const listsScript = defineScript<{ readonly lists: readonly (Key)[] }, { readonly most: number }, ListsReply>({
  name: 'analytics/lists',
  sha: '5b328db203ddc64ad010bcd72b523c8d777c6f91',
  flags: ["no-writes"],
  keys: ["lists…"],
  args: ["most"],
  replies: {"lists":["list"]},
  lua: "#!lua flags=no-writes\nlocal found = {}\nfor i = 1, #KEYS do\n  local list = redis.call('ZRANGE', KEYS[i], 0, ARGV[1] - 1, 'REV', 'WITHSCORES')\n  local least = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or '0'\n  table.insert(list, 1, least)\n  table.insert(list, 1, tostring(redis.call('ZCARD', KEYS[i])))\n  found[i] = list\nend\nreturn {'lists', found}\n",
})
export type ListsReply = readonly [word: 'lists', lists: readonly unknown[]]

/** some counts of several buckets. */
export const readScript = defineScript<{ readonly counts: readonly (Key)[] }, { readonly fields: readonly (string)[] }, ReadReply>({
  name: 'analytics/read',
  sha: 'f3ee39416e6dc360f539356d3c1c611280b47a33',
  flags: ["no-writes"],
  keys: ["counts…"],
  args: ["fields…"],
  replies: {"read":["text…"]},
  lua: "#!lua flags=no-writes\nlocal reply = {'read'}\nfor i = 1, #KEYS do\n  local values = redis.call('HMGET', KEYS[i], unpack(ARGV))\n  for j = 1, #ARGV do reply[#reply + 1] = values[j] or '' end\nend\nreturn reply\n",
})
export type ReadReply = readonly [word: 'read', ...values: readonly string[]]
