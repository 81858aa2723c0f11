#!lua flags=no-writes
-- lock/inspect: show who has a lock and who waits for it.
-- KEYS  lock  string, who has it and who waits
-- REPLY {'lock', nowMs:int, value:text, waiting:int}
-- WHY   the moment and the value of one moment; a long queue is cut after 100 lines, and counted whole
-- COST  one read of the queue, 75 bytes a waiter
local call, find = redis.call, string.find
local clock = call('TIME')
local value = call('GET', KEYS[1]) or ''
local count, cut, at = 0, #value, 0
while true do
  at = find(value, '\n', at + 1, true)
  if not at then break end
  if count == 100 then cut = at - 1 end
  count = count + 1
end
return {'lock', clock[1] * 1000 + math.floor(clock[2] / 1000), string.sub(value, 1, cut), count}
