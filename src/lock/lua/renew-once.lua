#!lua flags=allow-oom
-- lock/renew-once: give whoever runs something once so much time from now.
-- KEYS  once  hash, who runs it, who waits, then the result
-- ARGV  token    text, whose
--       leaseMs  int
-- REPLY {'renewed'} | {'lost'}
-- WHY   only while his lease stands by the server's clock: somebody may have taken over
-- COST  four commands
local call, format = redis.call, string.format
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local once = call('HMGET', KEYS[1], 's', 't', 'u')
if once[1] ~= 'p' or once[2] ~= ARGV[1] or tonumber(once[3]) <= now then return {'lost'} end
local expires = math.max(tonumber(once[3]), now + tonumber(ARGV[2]))
call('HSET', KEYS[1], 'u', format('%.0f', expires))
call('PEXPIRE', KEYS[1], format('%.0f', expires - now + 10000))
return {'renewed'}
