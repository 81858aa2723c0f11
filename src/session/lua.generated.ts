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
export const createScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly absoluteMs: number; readonly user: string; readonly fields: readonly (Buffer | string)[] }, CreateReply>({
  name: 'session/create',
  sha: '1815826a34ed081539070e140700b7b6b2ddac1f',
  flags: [],
  keys: ["session"],
  args: ["id","idleMs","absoluteMs","user","fields…"],
  replies: {"session":["int","int"],"taken":[]},
  lua: "#!lua\nlocal call, format = redis.call, string.format\nlocal meta = call('HGET', KEYS[1], 'meta')\nif meta then\n  if string.sub(meta, 1, 43) ~= ARGV[1] then return {'taken'} end\n  local created, seen, last = string.match(meta, '^(%d%d%d%d%d%d%d%d%d%d%d%d%d)(%d%d%d%d%d%d%d%d%d%d%d%d%d)(%d%d%d%d%d%d%d%d%d%d%d%d%d)', 44)\n  return {'session', tonumber(created), math.min(seen + ARGV[2], tonumber(last))}\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal ends = now + math.min(ARGV[2], ARGV[3])\ncall('HSET', KEYS[1], 'meta', ARGV[1] .. format('%013d%013d%013d', now, now, now + ARGV[3]))\nif ARGV[4] ~= '' then call('HSET', KEYS[1], 'user', ARGV[4]) end\nif #ARGV > 4 then call('HSET', KEYS[1], unpack(ARGV, 5)) end\ncall('PEXPIREAT', KEYS[1], format('%d', ends))\nreturn {'session', now, ends}\n",
})
export type CreateReply = readonly [word: 'session', createdAtMs: number, expiresAtMs: number] | readonly ['taken']

/** end the session that an id opens, for good. */
export const destroyScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number }, DestroyReply>({
  name: 'session/destroy',
  sha: '1018d2ea965d8d72d843c246f5617c81849f0ec6',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["id","idleMs"],
  replies: {"destroyed":["text"],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal meta = call('HGET', KEYS[1], 'meta')\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal current, opens, seen, last, old\nif meta then\n  current, seen, last = string.sub(meta, 1, 43), tonumber(string.sub(meta, 57, 69)), tonumber(string.sub(meta, 70, 82))\n  if seen and last and now < math.min(seen + ARGV[2], last) then\n    old = string.sub(meta, 83)\n    if current == ARGV[1] then\n      opens = 'current'\n    elseif old ~= '' then\n      local _, at = string.find(old, ARGV[1], 1, true)\n      local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n      if till and now < till then opens = 'old' end\n    end\n  end\nend\nif not opens then return {'gone'} end\nlocal user = string.match(call('HGET', KEYS[1], 'user') or '', '^%d+\\t[^\\t]*\\t(.*)$')\ncall('UNLINK', KEYS[1])\nreturn {'destroyed', user or ''}\n",
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
  sha: 'f1bce376d8d3fbfeefa6766c82aefcdf573f9716',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["id","idleMs","dueMs"],
  replies: {"session":["int","int","text"],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal fields = call('HGETALL', KEYS[1])\nlocal meta, at_meta\nfor i = 1, #fields, 2 do\n  if fields[i] == 'meta' then\n    at_meta = i + 1\n    meta = fields[at_meta]\n    break\n  end\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal current, opens, seen, last, old\nif meta then\n  current, seen, last = string.sub(meta, 1, 43), tonumber(string.sub(meta, 57, 69)), tonumber(string.sub(meta, 70, 82))\n  if seen and last and now < math.min(seen + ARGV[2], last) then\n    old = string.sub(meta, 83)\n    if current == ARGV[1] then\n      opens = 'current'\n    elseif old ~= '' then\n      local _, at = string.find(old, ARGV[1], 1, true)\n      local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n      if till and now < till then opens = 'old' end\n    end\n  end\nend\nif not opens then return {'gone'} end\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  meta = string.sub(meta, 1, 56) .. string.format('%013d', now) .. string.sub(meta, 70)\n  fields[at_meta] = meta\n  call('HSET', KEYS[1], 'meta', meta)\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, table.concat(fields, '\\n')}\n",
})
export type LoadReply = readonly [word: 'session', expiresAtMs: number, touched: number, lines: string] | readonly ['gone']

/** give a session another id; with a login, another user and a new life too. */
export const regenerateScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number; readonly next: string; readonly overlapMs: number; readonly absoluteMs: number; readonly epoch: string; readonly label: string; readonly user: string; readonly most: number; readonly count: number; readonly patch: readonly (Buffer | string)[] }, RegenerateReply>({
  name: 'session/regenerate',
  sha: '45afc5ee94a7fa474401d53c32917f5416209f8d',
  flags: [],
  keys: ["session"],
  args: ["id","idleMs","dueMs","next","overlapMs","absoluteMs","epoch","label","user","most","count","patch…"],
  replies: {"session":["int","int","text","text"],"superseded":["int","int","text"],"too-large":["int"],"gone":[]},
  lua: "#!lua\nlocal call, format = redis.call, string.format\nlocal fields = call('HGETALL', KEYS[1])\nlocal meta, at_meta\nfor i = 1, #fields, 2 do\n  if fields[i] == 'meta' then\n    at_meta = i + 1\n    meta = fields[at_meta]\n    break\n  end\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal current, opens, seen, last, old\nif meta then\n  current, seen, last = string.sub(meta, 1, 43), tonumber(string.sub(meta, 57, 69)), tonumber(string.sub(meta, 70, 82))\n  if seen and last and now < math.min(seen + ARGV[2], last) then\n    old = string.sub(meta, 83)\n    if current == ARGV[1] then\n      opens = 'current'\n    elseif old ~= '' then\n      local _, at = string.find(old, ARGV[1], 1, true)\n      local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n      if till and now < till then opens = 'old' end\n    end\n  end\nend\nlocal owner = call('HGET', KEYS[1], 'user')\nlocal label, previous = string.match(owner or '', '^%d+\\t([^\\t]*)\\t(.*)$')\nif current and current == ARGV[4] and opens ~= 'current' then\n  return {'session', math.min(seen + ARGV[2], last), 0, previous or '', table.concat(fields, '\\n')}\nend\nif not opens or opens == 'old' and ARGV[7] ~= '' then return {'gone'} end\nlocal function patch(most, count, first)\n  local place, before = {}, 0\n  for i = 1, #fields, 2 do\n    place[fields[i]] = i + 1\n    if string.byte(fields[i]) == 46 then before = before + #fields[i] + #fields[i + 1] end\n  end\n  local size, removed, gone = before, first + 2 * count, false\n  for i = first, removed - 1, 2 do\n    local at = place[ARGV[i]]\n    size = size + #ARGV[i + 1] + (at and -#fields[at] or #ARGV[i])\n    if not at then\n      at = #fields + 2\n      fields[at - 1] = ARGV[i]\n    end\n    fields[at] = ARGV[i + 1]\n  end\n  for i = removed, #ARGV do\n    local at = place[ARGV[i]]\n    if at then\n      size, gone = size - #fields[at] - #ARGV[i], true\n      fields[at] = false\n    end\n  end\n  if size > tonumber(most) and size > before then return nil, size end\n  if count > 0 then call('HSET', KEYS[1], unpack(ARGV, first, removed - 1)) end\n  if not gone then return fields end\n  call('HDEL', KEYS[1], unpack(ARGV, removed))\n  local left = {}\n  for i = 1, #fields, 2 do\n    if fields[i + 1] then\n      if i + 1 == at_meta then at_meta = #left + 2 end\n      left[#left + 1], left[#left + 2] = fields[i], fields[i + 1]\n    end\n  end\n  return left\nend\nlocal size\nfields, size = patch(ARGV[10], tonumber(ARGV[11]), 12)\nif not fields then return {'too-large', size} end\nif opens == 'old' then\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  meta = string.sub(meta, 1, 56) .. string.format('%013d', now) .. string.sub(meta, 70)\n  fields[at_meta] = meta\n  call('HSET', KEYS[1], 'meta', meta)\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\n  return {'superseded', ends, touched, table.concat(fields, '\\n')}\nend\nif ARGV[4] ~= ARGV[1] then\n  local kept, overlap = {}, tonumber(ARGV[5])\n  if overlap > 0 then\n    kept[1] = format('%s:%d;', ARGV[1], now + overlap)\n    for entry, till in string.gmatch(old, '([^;]+:(%d+);)') do\n      if tonumber(till) > now and #kept < 4 then kept[#kept + 1] = entry end\n    end\n  end\n  meta = ARGV[4] .. string.sub(meta, 44, 82) .. table.concat(kept)\nend\nif ARGV[7] ~= '' then\n  last, seen = now + ARGV[6], 0\n  meta = string.sub(meta, 1, 43) .. format('%013d%013d%013d', now, now, last) .. string.sub(meta, 83)\n  local login = ARGV[7] .. '\\t' .. (ARGV[8] ~= '' and ARGV[8] or label or '') .. '\\t' .. ARGV[9]\n  call('HSET', KEYS[1], 'user', login)\n  fields[#fields + 1] = 'user'\n  fields[#fields + 1] = login\nend\nfields[at_meta] = meta\ncall('HSET', KEYS[1], 'meta', meta)\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  meta = string.sub(meta, 1, 56) .. string.format('%013d', now) .. string.sub(meta, 70)\n  fields[at_meta] = meta\n  call('HSET', KEYS[1], 'meta', meta)\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, previous or '', table.concat(fields, '\\n')}\n",
})
export type RegenerateReply = readonly [word: 'session', expiresAtMs: number, touched: number, previousUser: string, lines: string] | readonly [word: 'superseded', expiresAtMs: number, touched: number, lines: string] | readonly [word: 'too-large', size: number] | readonly ['gone']

/** remove fields from the data of a session that stands. */
export const removeFieldsScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number; readonly most: number; readonly count: number; readonly patch: readonly (Buffer | string)[] }, RemoveFieldsReply>({
  name: 'session/remove-fields',
  sha: '99a6349ecfba4ae29a7e94a7dfa17e0565ba91ea',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["id","idleMs","dueMs","most","count","patch…"],
  replies: {"session":["int","int","text"],"too-large":["int"],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal call = redis.call\nlocal fields = call('HGETALL', KEYS[1])\nlocal meta, at_meta\nfor i = 1, #fields, 2 do\n  if fields[i] == 'meta' then\n    at_meta = i + 1\n    meta = fields[at_meta]\n    break\n  end\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal current, opens, seen, last, old\nif meta then\n  current, seen, last = string.sub(meta, 1, 43), tonumber(string.sub(meta, 57, 69)), tonumber(string.sub(meta, 70, 82))\n  if seen and last and now < math.min(seen + ARGV[2], last) then\n    old = string.sub(meta, 83)\n    if current == ARGV[1] then\n      opens = 'current'\n    elseif old ~= '' then\n      local _, at = string.find(old, ARGV[1], 1, true)\n      local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n      if till and now < till then opens = 'old' end\n    end\n  end\nend\nif not opens then return {'gone'} end\nlocal function patch(most, count, first)\n  local place, before = {}, 0\n  for i = 1, #fields, 2 do\n    place[fields[i]] = i + 1\n    if string.byte(fields[i]) == 46 then before = before + #fields[i] + #fields[i + 1] end\n  end\n  local size, removed, gone = before, first + 2 * count, false\n  for i = first, removed - 1, 2 do\n    local at = place[ARGV[i]]\n    size = size + #ARGV[i + 1] + (at and -#fields[at] or #ARGV[i])\n    if not at then\n      at = #fields + 2\n      fields[at - 1] = ARGV[i]\n    end\n    fields[at] = ARGV[i + 1]\n  end\n  for i = removed, #ARGV do\n    local at = place[ARGV[i]]\n    if at then\n      size, gone = size - #fields[at] - #ARGV[i], true\n      fields[at] = false\n    end\n  end\n  if size > tonumber(most) and size > before then return nil, size end\n  if count > 0 then call('HSET', KEYS[1], unpack(ARGV, first, removed - 1)) end\n  if not gone then return fields end\n  call('HDEL', KEYS[1], unpack(ARGV, removed))\n  local left = {}\n  for i = 1, #fields, 2 do\n    if fields[i + 1] then\n      if i + 1 == at_meta then at_meta = #left + 2 end\n      left[#left + 1], left[#left + 2] = fields[i], fields[i + 1]\n    end\n  end\n  return left\nend\nlocal size\nfields, size = patch(ARGV[4], tonumber(ARGV[5]), 6)\nif not fields then return {'too-large', size} end\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  meta = string.sub(meta, 1, 56) .. string.format('%013d', now) .. string.sub(meta, 70)\n  fields[at_meta] = meta\n  call('HSET', KEYS[1], 'meta', meta)\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, table.concat(fields, '\\n')}\n",
})
export type RemoveFieldsReply = readonly [word: 'session', expiresAtMs: number, touched: number, lines: string] | readonly [word: 'too-large', size: number] | readonly ['gone']

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
  sha: '9c2d3b348396a0728ff4280445b59d5136c6876e',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["user","epoch"],
  replies: {"revoked":[],"newer":[],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal epoch, user = string.match(redis.call('HGET', KEYS[1], 'user') or '', '^(%d+)\\t[^\\t]*\\t(.*)$')\nif user ~= ARGV[1] then return {'gone'} end\nif ARGV[2] ~= '' and tonumber(epoch) >= tonumber(ARGV[2]) then return {'newer'} end\nredis.call('UNLINK', KEYS[1])\nreturn {'revoked'}\n",
})
export type RevokeReply = readonly ['revoked'] | readonly ['newer'] | readonly ['gone']

/** merge fields into the data of a session that stands. */
export const saveScript = defineScript<{ readonly session: Key }, { readonly id: string; readonly idleMs: number; readonly dueMs: number; readonly most: number; readonly count: number; readonly patch: readonly (Buffer | string)[] }, SaveReply>({
  name: 'session/save',
  sha: '739a41c1f89f87b4af4fe41408f7b6038ee3e9ac',
  flags: [],
  keys: ["session"],
  args: ["id","idleMs","dueMs","most","count","patch…"],
  replies: {"session":["int","int","text"],"too-large":["int"],"gone":[]},
  lua: "#!lua\nlocal call = redis.call\nlocal fields = call('HGETALL', KEYS[1])\nlocal meta, at_meta\nfor i = 1, #fields, 2 do\n  if fields[i] == 'meta' then\n    at_meta = i + 1\n    meta = fields[at_meta]\n    break\n  end\nend\nlocal clock = call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal current, opens, seen, last, old\nif meta then\n  current, seen, last = string.sub(meta, 1, 43), tonumber(string.sub(meta, 57, 69)), tonumber(string.sub(meta, 70, 82))\n  if seen and last and now < math.min(seen + ARGV[2], last) then\n    old = string.sub(meta, 83)\n    if current == ARGV[1] then\n      opens = 'current'\n    elseif old ~= '' then\n      local _, at = string.find(old, ARGV[1], 1, true)\n      local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))\n      if till and now < till then opens = 'old' end\n    end\n  end\nend\nif not opens then return {'gone'} end\nlocal function patch(most, count, first)\n  local place, before = {}, 0\n  for i = 1, #fields, 2 do\n    place[fields[i]] = i + 1\n    if string.byte(fields[i]) == 46 then before = before + #fields[i] + #fields[i + 1] end\n  end\n  local size, removed, gone = before, first + 2 * count, false\n  for i = first, removed - 1, 2 do\n    local at = place[ARGV[i]]\n    size = size + #ARGV[i + 1] + (at and -#fields[at] or #ARGV[i])\n    if not at then\n      at = #fields + 2\n      fields[at - 1] = ARGV[i]\n    end\n    fields[at] = ARGV[i + 1]\n  end\n  for i = removed, #ARGV do\n    local at = place[ARGV[i]]\n    if at then\n      size, gone = size - #fields[at] - #ARGV[i], true\n      fields[at] = false\n    end\n  end\n  if size > tonumber(most) and size > before then return nil, size end\n  if count > 0 then call('HSET', KEYS[1], unpack(ARGV, first, removed - 1)) end\n  if not gone then return fields end\n  call('HDEL', KEYS[1], unpack(ARGV, removed))\n  local left = {}\n  for i = 1, #fields, 2 do\n    if fields[i + 1] then\n      if i + 1 == at_meta then at_meta = #left + 2 end\n      left[#left + 1], left[#left + 2] = fields[i], fields[i + 1]\n    end\n  end\n  return left\nend\nlocal size\nfields, size = patch(ARGV[4], tonumber(ARGV[5]), 6)\nif not fields then return {'too-large', size} end\nlocal ends, touched = math.min(seen + ARGV[2], last), 0\nif now - seen >= tonumber(ARGV[3]) then\n  ends, touched = math.min(now + ARGV[2], last), 1\n  meta = string.sub(meta, 1, 56) .. string.format('%013d', now) .. string.sub(meta, 70)\n  fields[at_meta] = meta\n  call('HSET', KEYS[1], 'meta', meta)\n  call('PEXPIREAT', KEYS[1], string.format('%d', ends))\nend\nreturn {'session', ends, touched, table.concat(fields, '\\n')}\n",
})
export type SaveReply = readonly [word: 'session', expiresAtMs: number, touched: number, lines: string] | readonly [word: 'too-large', size: number] | readonly ['gone']

/** let one session of a user live on when all others of his are ended. */
export const spareScript = defineScript<{ readonly session: Key }, { readonly user: string; readonly epoch: string }, SpareReply>({
  name: 'session/spare',
  sha: '580121a59eb16a99c54f66acd25f3c7833ec410f',
  flags: ["allow-oom"],
  keys: ["session"],
  args: ["user","epoch"],
  replies: {"spared":[],"gone":[]},
  lua: "#!lua flags=allow-oom\nlocal epoch, label, user = string.match(redis.call('HGET', KEYS[1], 'user') or '', '^(%d+)\\t([^\\t]*)\\t(.*)$')\nif user ~= ARGV[1] then return {'gone'} end\nif tonumber(epoch) < tonumber(ARGV[2]) then\n  redis.call('HSET', KEYS[1], 'user', ARGV[2] .. '\\t' .. label .. '\\t' .. user)\nend\nreturn {'spared'}\n",
})
export type SpareReply = readonly ['spared'] | readonly ['gone']
