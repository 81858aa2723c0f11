// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** see that a session that is in use is among those of its user, and was not revoked with them. */
export const affirmScript = defineScript<{ readonly user: Key }, { readonly ref: string; readonly epoch: string; readonly lifeMs: number }, AffirmReply>({
  name: 'session/affirm',
  sha: '43401652b68f3ad3f640edc82d937a835c1501ae',
  flags: ["allow-oom"],
  keys: ["user"],
  args: ["ref","epoch","lifeMs"],
  replies: {"stands":[],"revoked":["text"]},
  lua: "#!lua flags=allow-oom\nlocal call, format = redis.call, string.format\nlocal function last_until(ms)\n  if call('PEXPIRETIME', KEYS[1]) < ms then call('PEXPIREAT', KEYS[1], string.format('%d', ms)) end\nend\nlocal epoch = call('HGET', KEYS[1], 'epoch') or '0'\nif tonumber(ARGV[2]) < tonumber(epoch) then return {'revoked', epoch} end\nif call('HEXISTS', KEYS[1], ARGV[1]) == 0 then\n  local clock = call('TIME')\n  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)\n  call('HSET', KEYS[1], ARGV[1], format('%d %d', now, now + ARGV[3]))\n  last_until(now + ARGV[3])\nend\nreturn {'stands'}\n",
})
export type AffirmReply = readonly ['stands'] | readonly [word: 'revoked', epoch: string]

/** begin a session under an id that was made for it. */
export const createScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly absoluteMs: number; readonly user: string; readonly label: string; readonly epoch: string; readonly size: number; readonly fields: readonly (Buffer | string)[] }, CreateReply>({
  name: 'session/create',
  sha: '66795a6e71463be95730dfa4621a8de463206818',
  flags: [],
  keys: ["session"],
  args: ["id","idleMs","absoluteMs","user","label","epoch","size","fields…"],
  replies: {"session":["int","int"],"taken":[]},
  lua: "#!lua\nlocal call, format = redis.call, string.format\nlocal known = call('HMGET', KEYS[1], 'id', 'created', 'seen', 'last')\nif known[1] then\n  if known[1] ~= ARGV[1] then return {'taken'} end\n  return {'session', tonumber(known[2]), math.min(known[3] + ARGV[2], tonumber(known[4]))}\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal at, ends = format('%d', now), now + math.min(ARGV[2], ARGV[3])\ncall('HSET', KEYS[1], 'id', ARGV[1], 'created', at, 'seen', at, 'last', format('%d', now + ARGV[3]), 'size', ARGV[7])\nif ARGV[4] ~= '' then call('HSET', KEYS[1], 'user', ARGV[4], 'epoch', ARGV[6]) end\nif ARGV[5] ~= '' then call('HSET', KEYS[1], 'label', ARGV[5]) end\nif #ARGV > 7 then call('HSET', KEYS[1], unpack(ARGV, 8)) end\ncall('PEXPIREAT', KEYS[1], format('%d', ends))\nreturn {'session', now, ends}\n",
})
export type CreateReply = readonly [word: 'session', createdAtMs: number, expiresAtMs: number] | readonly ['taken']

/** end the session that an id opens, for good. */
export const destroyScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number }, DestroyReply>({
  name: 'session/destroy',
  sha: 'd1d81ac219f189a1f1c7114010b1c0f5a25dad05',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["id","idleMs"],
  replies: {"destroyed":["text"],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal meta = call('HMGET', KEYS[1], 'id', 'old', 'seen', 'last')\nlocal current, old, seen, last = meta[1], meta[2] or '', tonumber(meta[3]), tonumber(meta[4])\nlocal opens\nif current and seen and last and now < math.min(seen + ARGV[2], last) then\n  if current == ARGV[1] then\n    opens = 'current'\n  else\n    local _, at = string.find(old, ARGV[1], 1, true)\n    local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n    if till and now < till then opens = 'old' end\n  end\nend\nif not opens then return {'gone'} end\nlocal user = call('HGET', KEYS[1], 'user') or ''\ncall('UNLINK', KEYS[1])\nreturn {'destroyed', user}\n",
})
export type DestroyReply = readonly [word: 'destroyed', user: string] | readonly ['gone']

/** enter a session among those of its user, before it begins. */
export const joinScript = defineScript<{ readonly user: Key }, { readonly ref: string; readonly lifeMs: number }, JoinReply>({
  name: 'session/join',
  sha: '7c249512eaf471c62d730cbeb3ffb7a6689f990e',
  flags: [],
  keys: ["user"],
  args: ["ref","lifeMs"],
  replies: {"joined":["text","text…"]},
  lua: "#!lua\nlocal call, format = redis.call, string.format\nlocal function last_until(ms)\n  if call('PEXPIRETIME', KEYS[1]) < ms then call('PEXPIREAT', KEYS[1], string.format('%d', ms)) end\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\ncall('HSET', KEYS[1], ARGV[1], format('%d %d', now, now + ARGV[2]))\nlast_until(now + ARGV[2])\nlocal reply = {'joined', call('HGET', KEYS[1], 'epoch') or '0'}\nlocal sample = call('HRANDFIELD', KEYS[1], 16, 'WITHVALUES')\nfor i = 1, #sample, 2 do\n  local since, till = string.match(sample[i + 1], '^(%d+) (%d+)$')\n  if since and tonumber(till) <= now then\n    call('HDEL', KEYS[1], sample[i])\n  elseif since and tonumber(since) + 60000 <= now then\n    reply[#reply + 1] = sample[i]\n  end\nend\nreturn reply\n",
})
export type JoinReply = readonly [word: 'joined', epoch: string, ...suspects: readonly string[]]

/** the references of a user's sessions, some of which may be over. */
export const listScript = defineScript<{ readonly user: Key }, Record<never, never>, ListReply>({
  name: 'session/list',
  sha: 'cf602c6df89ed9df412d2ab0b6f6043d87977214',
  flags: ["no-writes"],
  keys: ["user"],
  args: [],
  replies: {"sessions":["int","text","list"]},
  lua: "#!lua flags=no-writes\nlocal clock = redis.call('TIME')\nlocal epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'\nreturn {'sessions', clock[1] * 1000 + math.floor(clock[2] / 1000), epoch, redis.call('HGETALL', KEYS[1])}\n",
})
export type ListReply = readonly [word: 'sessions', nowMs: number, epoch: string, entries: readonly unknown[]]

/** the session that an id opens; begins its idle life anew when enough of it has passed. */
export const loadScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number }, LoadReply>({
  name: 'session/load',
  sha: 'faf48687259801ff8c13c6c7bfef243d7da3b6da',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["id","idleMs","dueMs"],
  replies: {"session":["int","int","list"],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal meta = call('HMGET', KEYS[1], 'id', 'old', 'seen', 'last')\nlocal current, old, seen, last = meta[1], meta[2] or '', tonumber(meta[3]), tonumber(meta[4])\nlocal opens\nif current and seen and last and now < math.min(seen + ARGV[2], last) then\n  if current == ARGV[1] then\n    opens = 'current'\n  else\n    local _, at = string.find(old, ARGV[1], 1, true)\n    local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n    if till and now < till then opens = 'old' end\n  end\nend\nif not opens then return {'gone'} end\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  call('HSET', KEYS[1], 'seen', string.format('%d', now))\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, call('HGETALL', KEYS[1])}\n",
})
export type LoadReply = readonly [word: 'session', expiresAtMs: number, touched: number, fields: readonly unknown[]] | readonly ['gone']

/** give a session another id; with a login, another user and a new life too. */
export const regenerateScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number; readonly next: string; readonly overlapMs: number; readonly login: number; readonly absoluteMs: number; readonly user: string; readonly label: string; readonly epoch: string; readonly most: number; readonly count: number; readonly patch: readonly (Buffer | string)[] }, RegenerateReply>({
  name: 'session/regenerate',
  sha: 'f4728055049d8ffe633b66cf0e1ea2ffed56e07f',
  flags: [],
  keys: ["session"],
  args: ["id","idleMs","dueMs","next","overlapMs","login","absoluteMs","user","label","epoch","most","count","patch…"],
  replies: {"session":["int","int","text","list"],"superseded":["int","int","list"],"too-large":["int"],"gone":[]},
  lua: "#!lua\nlocal call, format = redis.call, string.format\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal meta = call('HMGET', KEYS[1], 'id', 'old', 'seen', 'last')\nlocal current, old, seen, last = meta[1], meta[2] or '', tonumber(meta[3]), tonumber(meta[4])\nlocal opens\nif current and seen and last and now < math.min(seen + ARGV[2], last) then\n  if current == ARGV[1] then\n    opens = 'current'\n  else\n    local _, at = string.find(old, ARGV[1], 1, true)\n    local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n    if till and now < till then opens = 'old' end\n  end\nend\nlocal previous = call('HGET', KEYS[1], 'user') or ''\nif current and current == ARGV[4] and opens ~= 'current' then\n  return {'session', math.min(seen + ARGV[2], last), 0, previous, call('HGETALL', KEYS[1])}\nend\nif not opens or opens == 'old' and ARGV[6] == '1' then return {'gone'} end\nlocal function patch(most, count, first)\n  local before = tonumber(call('HGET', KEYS[1], 'size') or 0)\n  local size, removed = before, first + 2 * count\n  for i = first, removed - 1, 2 do\n    local length = call('HSTRLEN', KEYS[1], ARGV[i])\n    size = size + #ARGV[i + 1] - length\n    if length == 0 then size = size + #ARGV[i] end\n  end\n  for i = removed, #ARGV do\n    local length = call('HSTRLEN', KEYS[1], ARGV[i])\n    if length > 0 then size = size - length - #ARGV[i] end\n  end\n  if size > tonumber(most) and size > before then return size end\n  if removed <= #ARGV then call('HDEL', KEYS[1], unpack(ARGV, removed)) end\n  if count > 0 then\n    call('HSET', KEYS[1], 'size', string.format('%d', size), unpack(ARGV, first, removed - 1))\n  elseif size ~= before then\n    call('HSET', KEYS[1], 'size', string.format('%d', size))\n  end\nend\nlocal size = patch(ARGV[11], tonumber(ARGV[12]), 13)\nif size then return {'too-large', size} end\nif opens == 'old' then\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  call('HSET', KEYS[1], 'seen', string.format('%d', now))\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\n  return {'superseded', ends, touched, call('HGETALL', KEYS[1])}\nend\nif ARGV[4] ~= ARGV[1] then\n  local kept, overlap = {}, tonumber(ARGV[5])\n  if overlap > 0 then\n    kept[1] = format('%s:%d;', ARGV[1], now + overlap)\n    for entry, till in string.gmatch(old, '([^;]+:(%d+);)') do\n      if tonumber(till) > now and #kept < 4 then kept[#kept + 1] = entry end\n    end\n  end\n  call('HSET', KEYS[1], 'id', ARGV[4], 'old', table.concat(kept))\nend\nif ARGV[6] == '1' then\n  local at = format('%d', now)\n  last, seen = now + ARGV[7], 0\n  call('HSET', KEYS[1], 'created', at, 'last', format('%d', last), 'user', ARGV[8], 'epoch', ARGV[10])\n  if ARGV[9] ~= '' then call('HSET', KEYS[1], 'label', ARGV[9]) end\nend\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  call('HSET', KEYS[1], 'seen', string.format('%d', now))\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, previous, call('HGETALL', KEYS[1])}\n",
})
export type RegenerateReply = readonly [word: 'session', expiresAtMs: number, touched: number, previousUser: string, fields: readonly unknown[]] | readonly [word: 'superseded', expiresAtMs: number, touched: number, fields: readonly unknown[]] | readonly [word: 'too-large', size: number] | readonly ['gone']

/** remove fields from the data of a session that stands. */
export const removeFieldsScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number; readonly most: number; readonly count: number; readonly patch: readonly (Buffer | string)[] }, RemoveFieldsReply>({
  name: 'session/remove-fields',
  sha: '200313d21605bb8772a743f09482f85e4d2c9641',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["id","idleMs","dueMs","most","count","patch…"],
  replies: {"session":["int","int","list"],"too-large":["int"],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal meta = call('HMGET', KEYS[1], 'id', 'old', 'seen', 'last')\nlocal current, old, seen, last = meta[1], meta[2] or '', tonumber(meta[3]), tonumber(meta[4])\nlocal opens\nif current and seen and last and now < math.min(seen + ARGV[2], last) then\n  if current == ARGV[1] then\n    opens = 'current'\n  else\n    local _, at = string.find(old, ARGV[1], 1, true)\n    local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n    if till and now < till then opens = 'old' end\n  end\nend\nif not opens then return {'gone'} end\nlocal function patch(most, count, first)\n  local before = tonumber(call('HGET', KEYS[1], 'size') or 0)\n  local size, removed = before, first + 2 * count\n  for i = first, removed - 1, 2 do\n    local length = call('HSTRLEN', KEYS[1], ARGV[i])\n    size = size + #ARGV[i + 1] - length\n    if length == 0 then size = size + #ARGV[i] end\n  end\n  for i = removed, #ARGV do\n    local length = call('HSTRLEN', KEYS[1], ARGV[i])\n    if length > 0 then size = size - length - #ARGV[i] end\n  end\n  if size > tonumber(most) and size > before then return size end\n  if removed <= #ARGV then call('HDEL', KEYS[1], unpack(ARGV, removed)) end\n  if count > 0 then\n    call('HSET', KEYS[1], 'size', string.format('%d', size), unpack(ARGV, first, removed - 1))\n  elseif size ~= before then\n    call('HSET', KEYS[1], 'size', string.format('%d', size))\n  end\nend\nlocal size = patch(ARGV[4], tonumber(ARGV[5]), 6)\nif size then return {'too-large', size} end\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  call('HSET', KEYS[1], 'seen', string.format('%d', now))\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, call('HGETALL', KEYS[1])}\n",
})
export type RemoveFieldsReply = readonly [word: 'session', expiresAtMs: number, touched: number, fields: readonly unknown[]] | readonly [word: 'too-large', size: number] | readonly ['gone']

/** begin a new epoch for a user: what was entered before is over. */
export const revokeUserScript = defineScript<{ readonly user: Key }, { readonly lifeMs: number }, RevokeUserReply>({
  name: 'session/revoke-user',
  sha: '1a231435a0b36cbabfc3a709b27ca6de24ef2700',
  flags: ["allow-oom"],
  keys: ["user"],
  args: ["lifeMs"],
  replies: {"epoch":["text","text…"]},
  lua: "#!lua flags=allow-oom\nlocal call, format = redis.call, string.format\nlocal function last_until(ms)\n  if call('PEXPIRETIME', KEYS[1]) < ms then call('PEXPIREAT', KEYS[1], string.format('%d', ms)) end\nend\nlocal clock = call('TIME')\nlocal before = tonumber(call('HGET', KEYS[1], 'epoch') or 0)\nlocal epoch = format('%.0f', math.max(before + 1, clock[1] * 1000000 + clock[2]))\ncall('HSET', KEYS[1], 'epoch', epoch)\nlast_until(clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1])\nlocal reply = {'epoch', epoch}\nfor _, ref in ipairs(call('HKEYS', KEYS[1])) do\n  if ref ~= 'epoch' then reply[#reply + 1] = ref end\nend\nreturn reply\n",
})
export type RevokeUserReply = readonly [word: 'epoch', epoch: string, ...refs: readonly string[]]

/** end a user's session without its id. */
export const revokeScript = defineScript<{ readonly session: Key }, { readonly user: string; readonly epoch: string }, RevokeReply>({
  name: 'session/revoke',
  sha: 'b89899626e025278a4f4daa8b07ecc6d5b90eb81',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["user","epoch"],
  replies: {"revoked":[],"newer":[],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal known = redis.call('HMGET', KEYS[1], 'user', 'epoch')\nif known[1] ~= ARGV[1] then return {'gone'} end\nif ARGV[2] ~= '' and tonumber(known[2] or 0) >= tonumber(ARGV[2]) then return {'newer'} end\nredis.call('UNLINK', KEYS[1])\nreturn {'revoked'}\n",
})
export type RevokeReply = readonly ['revoked'] | readonly ['newer'] | readonly ['gone']

/** merge fields into the data of a session that stands. */
export const saveScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number; readonly most: number; readonly count: number; readonly patch: readonly (Buffer | string)[] }, SaveReply>({
  name: 'session/save',
  sha: '8a672721e65a8ffc64421d7146cc4ad9208e9286',
  flags: [],
  keys: ["session"],
  args: ["id","idleMs","dueMs","most","count","patch…"],
  replies: {"session":["int","int","list"],"too-large":["int"],"gone":[]},
  lua: "#!lua\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal meta = call('HMGET', KEYS[1], 'id', 'old', 'seen', 'last')\nlocal current, old, seen, last = meta[1], meta[2] or '', tonumber(meta[3]), tonumber(meta[4])\nlocal opens\nif current and seen and last and now < math.min(seen + ARGV[2], last) then\n  if current == ARGV[1] then\n    opens = 'current'\n  else\n    local _, at = string.find(old, ARGV[1], 1, true)\n    local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n    if till and now < till then opens = 'old' end\n  end\nend\nif not opens then return {'gone'} end\nlocal function patch(most, count, first)\n  local before = tonumber(call('HGET', KEYS[1], 'size') or 0)\n  local size, removed = before, first + 2 * count\n  for i = first, removed - 1, 2 do\n    local length = call('HSTRLEN', KEYS[1], ARGV[i])\n    size = size + #ARGV[i + 1] - length\n    if length == 0 then size = size + #ARGV[i] end\n  end\n  for i = removed, #ARGV do\n    local length = call('HSTRLEN', KEYS[1], ARGV[i])\n    if length > 0 then size = size - length - #ARGV[i] end\n  end\n  if size > tonumber(most) and size > before then return size end\n  if removed <= #ARGV then call('HDEL', KEYS[1], unpack(ARGV, removed)) end\n  if count > 0 then\n    call('HSET', KEYS[1], 'size', string.format('%d', size), unpack(ARGV, first, removed - 1))\n  elseif size ~= before then\n    call('HSET', KEYS[1], 'size', string.format('%d', size))\n  end\nend\nlocal size = patch(ARGV[4], tonumber(ARGV[5]), 6)\nif size then return {'too-large', size} end\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  call('HSET', KEYS[1], 'seen', string.format('%d', now))\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, call('HGETALL', KEYS[1])}\n",
})
export type SaveReply = readonly [word: 'session', expiresAtMs: number, touched: number, fields: readonly unknown[]] | readonly [word: 'too-large', size: number] | readonly ['gone']

/** let one session of a user live on when all others of his are ended. */
export const spareScript = defineScript<{ readonly session: Key }, { readonly user: string; readonly epoch: string }, SpareReply>({
  name: 'session/spare',
  sha: 'af29ce566fc3d0bc80b4836d286e98362d5c36e7',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["user","epoch"],
  replies: {"spared":[],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal known = redis.call('HMGET', KEYS[1], 'user', 'epoch')\nif known[1] ~= ARGV[1] then return {'gone'} end\nif tonumber(known[2] or 0) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'epoch', ARGV[2]) end\nreturn {'spared'}\n",
})
export type SpareReply = readonly ['spared'] | readonly ['gone']
