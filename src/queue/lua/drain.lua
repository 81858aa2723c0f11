#!lua flags=allow-oom
-- queue/drain: forget jobs that wait, for their turn or for their time.
-- KEYS  state    hash, layout and more
--       delayed  zset, ids by when they are due
--       bodies   hash, their envelopes
--       ids      hash, ids that users gave
--       lanes…   streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout  text, the priorities of the lanes as the caller knows them
--       most    int
-- REPLY {'drained', count:int, parents…:text} | {'layout', layout:text}
-- WHY   those that run end; what was handed back waits. `parents`: of those, which waited for their children. Called until there is nothing more: others go on between
-- COST  three commands a lane, two a job, at most most jobs of each lane
local call, sub, byte = redis.call, string.sub, string.byte
local LANES, GROUPS, AWAITED = 4, 'GROUPS', 9e15
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local count, last_lane = 0, #KEYS
if sub(layout, 1, 7) == '1000000' then
  last_lane = last_lane - 5
  local ranked, grouped, round = unpack(KEYS, last_lane + 1)
  local ids = call('ZRANGE', ranked, 0, ARGV[2] - 1)
  for _, id in ipairs(ids) do call('ZREM', ranked, id) end
  for _, member in ipairs(call('ZRANGE', grouped, 0, ARGV[2] - 1)) do
    local zero = string.find(member, '\0', 1, true)
    call('ZREM', grouped, member)
    call('ZREM', round, sub(member, 1, zero - 1))
    ids[#ids + 1] = sub(member, zero + 18)
  end
  for _, id in ipairs(ids) do
    call('HDEL', KEYS[3], id)
    call('HDEL', KEYS[4], id)
    count = count + 1
  end
end
for i = LANES + 1, last_lane do
  local lane = KEYS[i]
  local found = {}
  for _, one in ipairs(call('XPENDING', lane, 'g', '-', '+', ARGV[2], '~')) do
    found[#found + 1] = call('XRANGE', lane, one[1], one[1])[1]
  end
  local last = call('XINFO', GROUPS, lane)[1][8]
  for _, entry in ipairs(call('XRANGE', lane, '(' .. last, '+', 'COUNT', ARGV[2])) do found[#found + 1] = entry end
  for _, entry in ipairs(found) do
    call('XACK', lane, 'g', entry[1])
    call('XDEL', lane, entry[1])
    local envelope = entry[2][2]
    call('HDEL', KEYS[4], sub(envelope, 4, 3 + byte(envelope, 3)))
    count = count + 1
  end
end
local parents, rows = {}, call('ZRANGE', KEYS[2], 0, ARGV[2] - 1, 'WITHSCORES')
for i = 1, #rows, 2 do
  local id = rows[i]
  if tonumber(rows[i + 1]) >= AWAITED then parents[#parents + 1] = id end
  call('ZREM', KEYS[2], id)
  call('HDEL', KEYS[3], id)
  call('HDEL', KEYS[4], id)
  count = count + 1
end
return {'drained', count, unpack(parents)}
