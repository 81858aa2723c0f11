#!lua
-- dirty/write: put a write on record that is yet to be persisted, and show it at once.
-- KEYS  dirty   sorted set of ids by when they turned dirty
--       due     sorted set of ids by when they are to be persisted
--       writes  hash by id: version(16), 's' for a value or 'd' for a deletion, then the caller's own
--       tries   hash by id: how often persisting failed
--       state   hash: version, the last that was given
--       dead    hash by id: writes that were given up
--       value   string, what readers see; lasts until the write is persisted
--       lease   string, the right to load it: ended
--       fence   sorted set, what keeps loads from being stored
-- ARGV  id        text
--       op        text   's' | 'd'
--       record    bytes  what is to be persisted
--       shown     bytes  what readers see
--       delayMs   int    so much later it is to be persisted, so that writes of the same id meanwhile become one
--       most      int    dirty ids at most
--       oldestMs  int    how old the oldest of them may be
--       channel   text   whom to tell of the lease that ended, or ''
-- REPLY {'written', version:text} | {'full', count:int, ageMs:int}
-- WHY   value, version and mark in one step: what was acknowledged is found by whoever comes next, whatever dies. A version is made of time,
--       so it rises also when the server has lost the last ones, and the latest write of an id stands for all before it. None of the keys
--       has a ttl: a write that is not persisted must not end by itself.
-- COST  O(log dirty), at most 18 commands
local call = redis.call
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local id = ARGV[1]
local isKnown = call('ZSCORE', KEYS[1], id)
local oldest = call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local age = oldest[2] and math.max(0, now - oldest[2]) or 0
local count = call('ZCARD', KEYS[1])
-- One that has failed may always be replaced: by that it may come right, and it makes nothing more.
local hasFailed = isKnown and call('HGET', KEYS[4], id)
if (age > tonumber(ARGV[7]) and not hasFailed) or (not isKnown and count >= tonumber(ARGV[6])) then return {'full', count, age} end
local version = string.format('%016.0f', math.max(micros, tonumber(call('HGET', KEYS[5], 'version') or '0') + 1))
call('HSET', KEYS[5], 'version', version)
call('HSET', KEYS[3], id, version .. ARGV[2] .. ARGV[3])
call('ZADD', KEYS[1], 'NX', now, id)
-- What failed before may have been the value's fault: the new one begins anew.
if call('HDEL', KEYS[4], id) == 1 or not isKnown then call('ZADD', KEYS[2], now + ARGV[5], id) end
call('HDEL', KEYS[6], id)
call('SET', KEYS[7], ARGV[4])
local ended = call('DEL', KEYS[8])
call('ZADD', KEYS[9], 9999999999999, 'unpersisted')
call('PERSIST', KEYS[9])
if ended == 1 and ARGV[8] ~= '' then call('PUBLISH', ARGV[8], KEYS[7]) end
return {'written', version}
