#!lua flags=allow-oom
-- session/revoke-user: begin a new epoch for a user: what was entered before is over.
-- KEYS  user    hash, `epoch` and each session's reference: when it was entered and when it can only be over
-- ARGV  lifeMs  int, the longest that a session may still live, and some more
-- REPLY {'epoch', epoch:text, refs…:text}
-- WHY   the references are to be ended one by one, on their own servers. The epoch also ends those that are not listed, when they are next
--       touched. It is the greater of one more than the last and the time in µs, so that it grows on even where a failover forgot the last.
-- COST  O(references)
local call, format = redis.call, string.format
-- PUT lasting
local clock = call('TIME')
local before = tonumber(call('HGET', KEYS[1], 'epoch') or 0)
local epoch = format('%.0f', math.max(before + 1, clock[1] * 1000000 + clock[2]))
call('HSET', KEYS[1], 'epoch', epoch)
last_until(clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[1])
local reply = {'epoch', epoch}
for _, ref in ipairs(call('HKEYS', KEYS[1])) do
  if ref ~= 'epoch' then reply[#reply + 1] = ref end
end
return reply
