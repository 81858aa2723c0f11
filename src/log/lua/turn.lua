#!lua flags=allow-oom
-- log/turn: one consumer's turn at a group: settle what it has done, renew its lease, free what a dead one left, be given more.
-- KEYS  entries    stream
--       state      hash
--       consumers  sorted set by the end of their leases; -1: what it had is being freed
--       retry      sorted set of ids by when they are due again
--       marks      hash: f:id, how often it failed; c:id, how often its consumer died; b:key, which entry has it; k:id, which key it has
--       dead       stream
--       line       sorted set, by text: entries that wait for one before them of their key
--       gone       sorted set of groups that were removed, by when
-- ARGV  group     text
--       consumer  text  an incarnation, never used again
--       leaseMs   int
--       joined    text  '1': it has had a turn before
--       want      int   how many entries at most
--       idle      text  '1': it is at work on nothing
--       ordered   text  '1': nothing is given while anything before it is not settled; 'key': or anything before it of its key
--       crashes   int   so many deaths of its consumers make an entry a dead one
--       doubt     text  '1': the answer to an earlier turn was lost; all that it holds is listed
--       keep      int   dead entries that are kept; beyond, the oldest go
--       settled…  text  by entry five: 'done' | 'failed' | 'back' | 'dead' | 'held', id, delay in ms, reason, error
-- REPLY {'turned', nowMs:int, nextMs:int, given…:text} | {'lost'} | {'unknown'} | {'removed'}
--       nextMs: when something is due, -1 if nothing is; given by entry eight: id, number, json, types, key, first id, failures, deaths
--       lost: its lease ended and another has what it had, so nothing is settled; unknown: there is no such group;
--       removed: somebody has removed it
-- WHY   The lease is the consumer's, not the entry's: its entries move only when it is marked, so one look at its mark tells whether it
--       may still settle them, also when it is late. Whoever was there when a process died for the second time runs alone from then on, so
--       that only the guilty one is blamed for the third.
--       A full server lets it settle, so it is allowed there.
-- COST  O(settled + given), and 100 entries of one dead consumer; by key, three commands more each, and up to 1,000 that are put in line
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local entries, state, consumers, retry, marks, dead, line = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local group, me, want, keep = ARGV[1], ARGV[2], tonumber(ARGV[5]), ARGV[10]
-- How much is looked through for entries whose key is free, by one call and by all.
local LONGEST_READ, LONGEST_LINE = 1000, 10000
local function text(number) return string.format('%.0f', number) end
-- PUT parking
-- PUT settling
local look = redis.pcall('XPENDING', entries, group)
if look.err then
  if call('ZSCORE', KEYS[8], group) then return {'removed'} end
  return {'unknown'}
end
local lease = call('ZSCORE', consumers, me)
if (lease and tonumber(lease) < 0) or (not lease and ARGV[4] == '1') then return {'lost'} end
call('ZADD', consumers, text(now + ARGV[3]), me)
local held = settle(11)
if ARGV[9] == '1' then put_back_others(held) end

local gone = call('ZRANGE', consumers, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, 1)[1]
if gone then
  call('ZADD', consumers, -1, gone)
  local left = call('XPENDING', entries, group, '-', '+', 100, gone)
  if #left > 0 then
    -- Who was blamed is on record, 256 names of 22 letters: it may have an excuse.
    local blamed = call('HGET', state, 'blamed:' .. group) or ''
    if not string.find(' ' .. blamed, ' ' .. gone .. ' ', 1, true) then
      call('HSET', state, 'blamed:' .. group, string.sub(gone .. ' ' .. blamed, 1, 256 * 23))
    end
  end
  for _, own in ipairs(left) do
    if mark('c:', own[1]) >= tonumber(ARGV[8]) then
      bury(own[1], 'crash', 'the processes that worked on it died')
    else
      put_back(own[1], now)
    end
  end
  if #left < 100 then
    call('XGROUP', 'DELCONSUMER', entries, group, gone)
    call('ZREM', consumers, gone)
  end
end

local given = {'turned', now, -1}
local waiting, number, alone = call('ZCARD', retry), 0, false
local function give(entry, failures, deaths)
  local id, f = entry[1], entry[2]
  number = number + 1
  for _, part in ipairs({id, f[2], f[4], f[6], f[8], f[12] or '', failures, deaths}) do given[#given + 1] = part end
end
-- False when nothing more may be given now.
local function give_again(id)
  local deaths = count('c:', id)
  if deaths >= 2 and (number > 0 or ARGV[6] ~= '1') then
    alone = true
    return false
  end
  call('ZREM', retry, id)
  waiting = waiting - 1
  local entry = call('XCLAIM', entries, group, me, 0, id)[1]
  if entry then
    give(entry, count('f:', id), deaths)
    alone = deaths >= 2
    return not alone
  end
  -- Trimmed, as its group has allowed.
  call('XACK', entries, group, id)
  forget(id)
  call('HINCRBY', state, 'dropped:' .. group, 1)
  return true
end

local ordered = ARGV[7] == '1'
-- In line since the group was worked on by key: each gets its turn from the one before it.
local lined = ordered and call('ZCARD', line) or 0
if ordered and call('XPENDING', entries, group)[1] > waiting + lined then want = 0 end
if want > 0 and waiting > 0 then
  if ordered then
    for _, own in ipairs(call('XPENDING', entries, group, '-', '+', want, NOBODY)) do
      if tonumber(call('ZSCORE', retry, own[1]) or (lined > 0 and math.huge or 0)) > now or not give_again(own[1]) then break end
    end
  else
    for _, id in ipairs(call('ZRANGE', retry, '-inf', text(now), 'BYSCORE', 'LIMIT', 0, want)) do
      if not give_again(id) then break end
    end
  end
end
if want > number and not alone and not (ordered and waiting > 0) then
  -- Those that have to stand in line make room for others, within bounds: of this call, and of the line.
  local by_key, left = ARGV[7] == 'key', LONGEST_READ
  if by_key then left = math.min(left, LONGEST_LINE - call('ZCARD', line)) end
  while number < want and left > 0 do
    local room = math.min(want - number, left)
    local fresh = call('XREADGROUP', 'GROUP', group, me, 'COUNT', room, 'STREAMS', entries, '>')
    fresh = fresh and fresh[1][2] or {}
    for _, entry in ipairs(fresh) do
      if entry[2][10] and entry[2][10] ~= group then
        call('XACK', entries, group, entry[1])
        given[3] = now
      elseif not by_key or take_key(entry[1], entry[2][8], entry[2][2]) then
        give(entry, 0, 0)
      else
        given[3] = now
      end
    end
    if #fresh > 0 then call('HSET', state, 'read:' .. group, fresh[#fresh][2][2]) end
    left = left - #fresh
    if not by_key or #fresh < room then left = 0 end
  end
end
local due = call('ZRANGE', retry, 0, 0, 'WITHSCORES')
if due[2] and given[3] < 0 then given[3] = tonumber(due[2]) end
return given
