#!lua flags=no-writes
-- stream/counts: how many jobs there are in each state.
-- KEYS  state    hash, layout and more
--       leases   zset, consumers by the end of their leases
--       delayed  zset, ids by when they are due
--       dead     zset, ids by when they died
--       bodies      hash, envelopes of all that wait in no lane
--       deadBodies  hash, of dead letters, with reasons and errors
--       lanes…   streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout  text, the priorities of the lanes as the caller knows them
-- REPLY {'counts', waiting:int, active:int, delayed:int, dead:int, oldestMs:int, dueMs:int, paused:int, consumers:int, bytes:int, done:int, failed:int, doneLately:int, failedLately:int, lanes…:int} | {'layout', layout:text}
-- WHY   `bytes` is what the server says of a sample, -1 where it may not be asked; `…Lately`: in the last minute, of which what lies in the minute
--       before this one is taken to be spread evenly over it. What was handed back, or waits to be given out alone, is pending in its stream and yet waits
-- COST  five commands a lane, whatever is in it; a row for each consumer
local call = redis.call
local LANES, GROUPS, USAGE = 6, 'GROUPS', 'USAGE'
local known = call('HMGET', KEYS[1], 'layout', 'paused', 'minute', 'done', 'failed', 'done0', 'failed0', 'done1', 'failed1')
if (known[1] or '') ~= ARGV[1] then return {'layout', known[1] or ''} end
local clock = call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local waiting, active, oldest, each = 0, 0, -1, {}
local last = #KEYS
if string.sub(ARGV[1], 1, 7) == '1000000' then
  waiting = call('ZCARD', KEYS[last - 4]) + call('ZCARD', KEYS[last - 3])
  last = last - 5
end
for i = LANES + 1, last do
  local pending = call('XPENDING', KEYS[i], 'g')
  local total, back, since = pending[1], 0, nil
  for _, row in ipairs(pending[4] or {}) do
    if row[1] == '~' or row[1] == '!' then back = back + row[2] end
  end
  local here = call('XLEN', KEYS[i]) - total + back
  waiting, active, each[#each + 1] = waiting + here, active + total - back, here
  local first
  if back > 0 then first = (call('XPENDING', KEYS[i], 'g', '-', '+', 1, '~')[1] or {})[1] end
  if not first and here > 0 then
    local given = call('XINFO', GROUPS, KEYS[i])[1][8]
    first = (call('XRANGE', KEYS[i], '(' .. given, '+', 'COUNT', 1)[1] or {})[1]
  end
  if first then
    local age = now - string.match(first, '^%d+')
    if age > oldest then oldest = math.max(0, age) end
  end
end
local due = call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
-- Those that wait for their children have no time.
local wait = due and tonumber(due) < 9e15 and math.max(0, due - now) or -1
local consumers = call('ZCOUNT', KEYS[2], string.format('%.0f', now), '(inf')
local bytes = 0
local function weigh(key)
  local used = redis.pcall('MEMORY', USAGE, key, 'SAMPLES', 5)
  if type(used) == 'table' then bytes = -1 end
  if bytes >= 0 then bytes = bytes + (used or 0) end
end
for _, key in ipairs({ KEYS[3], KEYS[4], KEYS[5], KEYS[6] }) do weigh(key) end
for i = LANES + 1, #KEYS do weigh(KEYS[i]) end
local passed = now / 60000 - tonumber(known[3] or 0)
local function lately(total, start, start_before)
  total, start, start_before = tonumber(total or 0), tonumber(start or 0), tonumber(start_before or 0)
  if passed >= 2 then return 0 end
  if passed >= 1 then return math.floor((total - start) * (2 - passed) + 0.5) end
  return math.floor(total - start + (start - start_before) * (1 - passed) + 0.5)
end
local reply = {'counts', waiting, active, call('ZCARD', KEYS[3]), call('ZCARD', KEYS[4]), math.ceil(oldest), math.ceil(wait)}
reply[#reply + 1] = known[2] and 1 or 0
reply[#reply + 1] = consumers
reply[#reply + 1] = bytes
reply[#reply + 1] = tonumber(known[4] or 0)
reply[#reply + 1] = tonumber(known[5] or 0)
reply[#reply + 1] = lately(known[4], known[6], known[8])
reply[#reply + 1] = lately(known[5], known[7], known[9])
for _, here in ipairs(each) do reply[#reply + 1] = here end
return reply
