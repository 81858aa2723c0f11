#!lua flags=no-writes
-- stream/counts: how many jobs there are in each state.
-- KEYS  state    hash, layout and more
--       leases   zset, consumers by the end of their leases
--       delayed  zset, ids by when they are due
--       dead     zset, ids by when they died
--       lanes…   streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout  text, the priorities of the lanes as the caller knows them
-- REPLY {'counts', waiting:int, active:int, delayed:int, dead:int, oldestMs:int, dueMs:int, paused:int, consumers:int, lanes…:int} | {'layout', layout:text}
-- WHY   what was handed back, or waits to be given out alone, is pending in its stream and yet waits
-- COST  four commands a lane, whatever is in it; a row for each consumer
local call = redis.call
local LANES, GROUPS = 4, 'GROUPS'
local known = call('HMGET', KEYS[1], 'layout', 'paused')
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
local wait = due and math.max(0, due - now) or -1
local consumers = call('ZCOUNT', KEYS[2], string.format('%.0f', now), '(inf')
local reply = {'counts', waiting, active, call('ZCARD', KEYS[3]), call('ZCARD', KEYS[4]), math.ceil(oldest), math.ceil(wait)}
reply[#reply + 1] = known[2] and 1 or 0
reply[#reply + 1] = consumers
for _, here in ipairs(each) do reply[#reply + 1] = here end
return reply
