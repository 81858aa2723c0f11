#!lua
-- dirty/redrive: have a write that was given up persisted after all.
-- KEYS  dirty   sorted set of ids by when they turned dirty
--       due     sorted set of ids by when they are to be persisted
--       writes  hash by id
--       dead    hash by id
--       value   string, what readers see: removed, so that they look at the record
--       lease   string, the right to load it: ended
--       fence   sorted set, what keeps loads from being stored
-- ARGV  id  text
-- REPLY {'redriven'} | {'gone'}
-- WHY   a later write of the same id has ended it: then there is nothing to redrive
-- COST  O(log dirty)
local call = redis.call
local id = ARGV[1]
local dead = call('HGET', KEYS[4], id)
if not dead then return {'gone'} end
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
call('HDEL', KEYS[4], id)
call('HSET', KEYS[3], id, string.sub(dead, string.find(dead, '\n', 1, true) + 1))
call('ZADD', KEYS[1], now, id)
call('ZADD', KEYS[2], now, id)
call('UNLINK', KEYS[5], KEYS[6])
call('ZADD', KEYS[7], 9999999999999, 'unpersisted')
call('PERSIST', KEYS[7])
return {'redriven'}
