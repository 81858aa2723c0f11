#!lua
-- seats/create: open an event for sale, once.
-- KEYS  event   hash, what is counted and agreed, each hold, each customer; lasting
--       map     string, one byte a seat, rows joined by '|'; lasting
--       due     zset, hold by the moment it ends or is forgotten; lasting
--       log     stream, one entry a change, its id is the version; lasting
--       layout  string, the layout as JSON; lasting
-- ARGV  tag      text, hash of the layout
--       json     text
--       cells    text, the map of an empty house
--       seats    int
--       blocked  int
--       limit    int, seats a customer may have, 0 for any number
--       keep     int, changes that the log keeps at least
--       channel  text
-- REPLY {'created', version:int} | {'exists', version:int} | {'other', tag:text} | {'remains', keys:int}
-- WHY   the zset gets a member that stays, for an empty one does not exist, and while a slot moves, a key that does not exist makes
--       every script fail that names it. Versions start at the server's milliseconds, so that an event that was removed and
--       made anew never continues the numbers of the old one. Remains of an event whose main key is gone are not
--       overwritten: that would sell a sold house again.
-- COST  O(bytes of the map), once
local old = redis.call('HMGET', KEYS[1], 'layout', 'version')
if old[1] == ARGV[1] then return {'exists', tonumber(old[2])} end
if old[1] then return {'other', old[1]} end
local remains = redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
if remains > 0 then return {'remains', remains} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], 'version', now, 'state', 'open', 'layout', ARGV[1], 'limit', ARGV[6], 'held', 0, 'sold', 0,
  'next', 'inf', 'seats', ARGV[4], 'blocked', ARGV[5], 'born', now, 'keep', ARGV[7])
redis.call('SET', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], '+inf', '')
redis.call('XADD', KEYS[4], now .. '-0', 'kind', 'created', 'hold', '', 'cells', '', 'at', now, 'by', '')
redis.call('SET', KEYS[5], ARGV[2])
redis.call('PUBLISH', ARGV[8], now)
return {'created', now}
