#!lua flags=allow-oom
-- log/trim: remove the oldest entries that nobody needs any more, or only say which.
-- KEYS  entries  stream
--       state    hash
-- ARGV  ageMs   int   entries that are older may go; -1: no bound
--       length  int   of more entries than this the oldest may go; -1: no bound
--       upTo    text  nothing after this id; '' no bound
--       list    text  '1': only say which, whole
-- REPLY {'trimmed', count:int, more:int} | {'due', entries…:text}
--       more 1: there may be more; due by entry six: id, number, json, types, key, for which group
-- WHY   what a group has not acknowledged stays: its first pending entry, and all that it was not given yet. Only where a group was told
--       to drop what is older than so long does that bound it, and what it loses is counted.
-- COST  O(groups), and 100 entries a call
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function is_before(ms, seq, otherMs, otherSeq)
  return ms < otherMs or (ms == otherMs and seq < otherSeq)
end

local cutMs, cutSeq = math.huge, 0
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if groups.err then groups = {} end
local names = {}
for _, info in ipairs(groups) do
  local fact = {}
  for i = 1, #info, 2 do fact[info[i]] = info[i + 1] end
  names[#names + 1] = fact.name
  local ms, seq = split(fact['last-delivered-id'])
  seq = seq + 1
  if fact.pending > 0 then ms, seq = split(call('XPENDING', KEYS[1], fact.name)[2]) end
  local drop = call('HGET', KEYS[2], 'drop:' .. fact.name)
  if drop and is_before(ms, seq, now - drop, 0) then ms, seq = now - drop, 0 end
  if is_before(ms, seq, cutMs, cutSeq) then cutMs, cutSeq = ms, seq end
end

local age, length = tonumber(ARGV[1]), tonumber(ARGV[2])
local added = tonumber(call('HGET', KEYS[2], 'added') or '0')
local due = {'due'}
local last, count = nil, 0
local oldest = call('XRANGE', KEYS[1], '-', '+', 'COUNT', 100)
for _, entry in ipairs(oldest) do
  local ms, seq = split(entry[1])
  local f = entry[2]
  local isOld = (age >= 0 and ms < now - age) or (length >= 0 and tonumber(f[2]) <= added - length)
  if not isOld or not is_before(ms, seq, cutMs, cutSeq) then break end
  if ARGV[3] ~= '' then
    local upMs, upSeq = split(ARGV[3])
    if is_before(upMs, upSeq, ms, seq) then break end
  end
  last, count = entry, count + 1
  for _, part in ipairs({entry[1], f[2], f[4], f[6], f[8], f[10] or ''}) do due[#due + 1] = part end
end
if ARGV[4] == '1' then return due end
if not last then return {'trimmed', 0, 0} end
local ms, seq = split(last[1])
call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', ms, seq + 1))
local gone, before = tonumber(last[2][2]), tonumber(call('HGET', KEYS[2], 'trimmed') or '0')
for _, name in ipairs(names) do
  local lost = gone - math.max(before, tonumber(call('HGET', KEYS[2], 'read:' .. name) or '0'))
  if lost > 0 then call('HINCRBY', KEYS[2], 'dropped:' .. name, lost) end
end
call('HSET', KEYS[2], 'trimmed', last[2][2])
return {'trimmed', count, count == #oldest and 1 or 0}
