#!lua flags=allow-oom
-- seats/sweep: end the holds whose time is over, forget those that ended long ago, keep the log at its length.
-- KEYS  event  hash, what is counted and agreed, each hold, each customer
--       map    string, one byte a seat
--       due    zset, hold by the moment it ends
--       log    stream, one entry a change
-- ARGV  most     int
--       channel  text
-- REPLY {'swept', expired:int, dueInMs:int} | {'no-event'}
-- WHY   any number of processes may sweep at once: each hold ends in one script only. dueInMs is at most a day, so that it
--       always is a number.
-- COST  O(most), 64 in use
local call, format = redis.call, string.format
local clock = call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local event = call('HMGET', KEYS[1], 'version', 'held')
local version, held, channel = event[1], event[2], ARGV[2]
if not version then return {'no-event'} end
-- PUT ending
local expired, due = end_due(ARGV[1])
return {'swept', expired, math.max(0, math.min((due or 0) - now, 86400000))}
