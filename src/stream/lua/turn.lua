#!lua flags=allow-oom
-- stream/turn: end what a consumer has done, bring in what is due, and give it more.
-- KEYS  state       hash, layout and more
--       leases      zset, consumers by the end of their leases
--       delayed     zset, ids by when they are due
--       bodies      hash, their envelopes
--       dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
--       ids         hash, ids that users gave
--       idle        zset, processes that want to be told
--       wake        list, a token for a process that blocks until it is told
--       lanes…      streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout    text, the priorities of the lanes as the caller knows them, highest first
--       channel   text, what the channels of processes begin with
--       consumer  text
--       lease     int, ms
--       count     int, how many jobs it has room for
--       inbox     text, where the caller wants to be told: its channel, or with a `<` before it that it blocks; '' nowhere
--       mode      text: join, the first turn of this consumer; stay; busy, with a job that was given out alone; alone, that one has ended
--       most      int, dead letters that are kept
--       group     int, jobs of one group that may run at the same time
--       rate      int, jobs that the fleet may begin in each `per`; 0: any number
--       per       int, µs
--       settles…  text: how many lots of done jobs; each: lane, how many, entries. Then by six: op, lane, entry, number, text, text
-- REPLY {'turn', fence:text, dueMs:int, flags:int, heads:text, blob:bytes} | {'layout', layout:text} | {'gone'}
-- WHY   one round trip for a batch, and one fence for all that it ends: a consumer whose jobs were given to others ends nothing.
--       A full server must still be able to end jobs, so what is due comes in there too: it only changes its place
-- COST  nine commands and half a µs for each job; at most 100 due jobs, the jobs of one dead consumer up to count
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, DELCONSUMER, GROUP, GROUPS, CONSUMERS = 9, 'DELCONSUMER', 'GROUP', 'GROUPS', 'CONSUMERS'
local idle, wake, channel, layout, me = KEYS[8], KEYS[9], ARGV[2], ARGV[1], ARGV[3]
local known = call('HMGET', KEYS[1], 'layout', 'paused', 'fence')
if (known[1] or '') ~= layout then return {'layout', known[1] or ''} end
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local lease, most, group_most = tonumber(ARGV[4]), tonumber(ARGV[8]), tonumber(ARGV[9])
local lease_end, mode, ready, at = now + lease, ARGV[7], false, 12
local score = tonumber(call('ZSCORE', KEYS[2], me) or -1)
if score < 0 and mode ~= 'join' then return {'gone'} end
-- PUT ring
-- PUT envelope
-- PUT place
-- PUT parent
-- PUT ending
-- PUT settle
-- Not each time: callers count on seven eighths of it.
if score < lease_end - lease / 8 then
  call('ZADD', KEYS[2], lease_end, me)
  if mode == 'busy' then call('ZADD', KEYS[2], 'XX', lease_end, me .. '!') end
end
if mode == 'alone' then call('ZREM', KEYS[2], me .. '!') end

local due = call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if due[1] and tonumber(due[2]) <= now then
  for _, id in ipairs(call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
    local envelope = call('HGET', KEYS[4], id)
    if envelope then
      call('HDEL', KEYS[4], id)
      place(envelope)
    end
    call('ZREM', KEYS[3], id)
  end
  ready = true
  due = call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
end

if parked then
  for _, group in ipairs(call('ZRANGEBYSCORE', parked, '-inf', now, 'LIMIT', 0, 100)) do
    call('ZREM', parked, group)
    join_round(group)
  end
end

local heads, blobs, given, count, flags = {}, {}, 0, tonumber(ARGV[5]), 0
local function give(lane, deliveries, one)
  local envelope = one[2][2]
  heads[#heads + 1] = lane .. ' ' .. deliveries .. ' 1 ' .. one[1] .. ' ' .. #envelope
  blobs[#blobs + 1] = envelope
end
-- PUT reclaim
-- PUT giving
-- A bucket of `rate` that fills evenly, as the moment at which it will be full: asked before anything leaves its place.
local rate, per, asked, full_at = tonumber(ARGV[10]), tonumber(ARGV[11]), count, micros
if rate > 0 and not known[2] then
  full_at = math.max(micros, tonumber(call('HGET', KEYS[1], 'fullAt') or 0))
  count = math.min(count, math.max(0, math.floor((micros + per - full_at) * rate / per)))
end
if known[2] then
  flags = 1
elseif count > 0 then
  -- Now and then a place is kept for a suspect: it must not wait until there is nothing else.
  local all = count
  if mode ~= 'busy' and micros % 8 == 0 and call('ZSCORE', KEYS[2], '!') then count = count - 1 end
  given = reclaim(count)
  if lanes > 1 and given < count and micros % 4 == 0 then given = given + give_overdue(math.ceil((count - given) / 4)) end
  if ranked and given < count and micros % 4 == 0 then given = given + give_overdue_rank(math.ceil((count - given) / 4)) end
  -- Groups have half of the places, and of single ones every other.
  local share = math.ceil((count - given) / 2)
  if share == 1 and micros % 2 == 0 then share = 0 end
  if grouped and share > 0 then given = given + give_grouped(share) end
  if ranked and given < count then given = given + give_ranked(count - given) end
  for i = 1, lanes do
    if given == count then break end
    given = given + give_new(i, count - given)
  end
  if grouped and given < count then given = given + give_grouped(count - given) end
  count = all
  if given < count and mode ~= 'busy' and call('ZSCORE', KEYS[2], '!') and take_suspect() then
    given, flags = given + 1, 4
  end
end
-- PUT tally
tally(ended, failed)
local fence = tonumber(known[3] or 0)
if given > 0 then
  fence = micros > fence and micros or fence + 1
  call('HSET', KEYS[1], 'fence', format('%.0f', fence))
end

local next = -1
if rate > 0 and given > 0 then
  full_at = full_at + given * per / rate
  call('HSET', KEYS[1], 'fullAt', format('%.0f', full_at))
end
if given == count and count < asked and flags ~= 1 then
  -- Nobody else may have more now: who asked comes again when there is room for one.
  next = math.max(1, (full_at + per / rate - per - micros) / 1000)
elseif given < count then
  if given == 0 and flags == 0 and micros % 4 == 0 then find_ownerless() end
  -- The next job that is due, and the end of the next lease but the caller's: whose jobs may have to be given to somebody.
  local moments = { flags ~= 1 and due[2] or nil }
  if parked and flags ~= 1 then moments[#moments + 1] = call('ZRANGE', parked, 0, 0, 'WITHSCORES')[2] end
  local leases = flags ~= 1 and call('ZRANGE', KEYS[2], 0, 1, 'WITHSCORES') or {}
  for i = 1, #leases, 2 do
    if leases[i] ~= me then moments[#moments + 1] = leases[i + 1] end
  end
  for _, moment in ipairs(moments) do
    local wait = math.max(0, moment - now)
    if wait < math.huge and (next < 0 or wait < next) then next = wait end
  end
  if ARGV[6] ~= '' then call('ZADD', idle, now, ARGV[6]) end
elseif flags ~= 1 and call('EXISTS', idle) == 1 then
  -- More than this one can take: somebody who waits may have it.
  for i = 1, lanes do ready = ready or first_new(i) ~= nil end
  if ranked then ready = ready or call('EXISTS', ranked, round) > 0 end
  if ready then ring() end
end
return {'turn', format('%.0f', fence), math.ceil(next), flags, table.concat(heads, ' '), table.concat(blobs)}
