#!lua flags=no-writes
-- lock/inspect-gate: show who has permits of a gate and who waits for some.
-- KEYS  gate  hash, who is in and who waits
-- REPLY {'gate', nowMs:int, fields…:text}
-- WHY   the moment and all fields of one moment
-- COST  O(holders + waiters)
local call = redis.call
local clock = call('TIME')
local reply = {'gate', clock[1] * 1000 + math.floor(clock[2] / 1000)}
local fields = call('HGETALL', KEYS[1])
for i = 1, #fields do reply[i + 2] = fields[i] end
return reply
