#!lua flags=no-writes
-- dirty/inspect: how far the system of record is behind, of one place.
-- KEYS  dirty  sorted set of ids by when they turned dirty
--       dead   hash by id
-- REPLY {'seen', count:int, ageMs:int, dead:int}
-- WHY   several commands would show several moments
-- COST  O(1)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {
  'seen', redis.call('ZCARD', KEYS[1]), oldest[2] and math.max(0, now - oldest[2]) or 0, redis.call('HLEN', KEYS[2]),
}
