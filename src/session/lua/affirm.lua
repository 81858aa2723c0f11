#!lua flags=allow-oom
-- session/affirm: see that a session that is in use is among those of its user, and was not revoked with them.
-- KEYS  user    hash, `epoch` and each session's reference: when it was entered and when it can only be over
-- ARGV  ref     text
--       epoch   text, the user's, as it was when the session was entered
--       lifeMs  int, what is left of its absolute life, and some more
-- REPLY {'stands'} | {'revoked', epoch:text}
-- WHY   a failover may have lost the entry, and a revocation that went by it has then missed the session
-- COST  O(1)
local call, format = redis.call, string.format
-- PUT lasting
local epoch = call('HGET', KEYS[1], 'epoch') or '0'
if tonumber(ARGV[2]) < tonumber(epoch) then return {'revoked', epoch} end
if call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  local clock = call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  call('HSET', KEYS[1], ARGV[1], format('%d %d', now, now + ARGV[3]))
  last_until(now + ARGV[3])
end
return {'stands'}
