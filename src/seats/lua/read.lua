#!lua flags=no-writes
-- seats/read: map, counts and ends of the log at one moment.
-- KEYS  event  hash, what is counted and agreed, each hold, each customer
--       map    string, one byte a seat
--       log    stream, one entry a change
-- REPLY {'event', nowMs:int, first:text, last:text, cells:text, version:text, state:text, layout:text, limit:text, held:text, sold:text,
--       next:text, seats:text, blocked:text, born:text, keep:text} | {'no-event'}
-- WHY   map and version must be of one moment, or the changes that follow do not fit
-- COST  O(bytes of the map): 0.15 ms for 80 KB, since Lua copies them
local fields = redis.call('HMGET', KEYS[1], 'version', 'state', 'layout', 'limit', 'held', 'sold', 'next', 'seats', 'blocked', 'born', 'keep')
if not fields[1] then return {'no-event'} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
for i = 1, #fields do fields[i] = fields[i] or '' end
return {'event', now, first and first[1] or '', last and last[1] or '', redis.call('GET', KEYS[2]) or '', unpack(fields)}
