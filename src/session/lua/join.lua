#!lua
-- session/join: enter a session among those of its user, before it begins.
-- KEYS  user    hash, `epoch` and each session's reference: when it was entered and when it can only be over
-- ARGV  ref     text
--       lifeMs  int, absolute life and some more, since the session may live on a server of another clock
-- REPLY {'joined', epoch:text, suspects…:text}
-- WHY   entered first, so that no session can stand that is not listed; whoever dies in between leaves a reference to nothing. So each
--       time a few are looked at: those that are over go, the older ones are named for the caller to look whether they stand. What
--       is dead can so never be much more than what lives.
-- COST  O(1): 16 of the references
local call, format = redis.call, string.format
-- PUT lasting
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
call('HSET', KEYS[1], ARGV[1], format('%d %d', now, now + ARGV[2]))
last_until(now + ARGV[2])
local reply = {'joined', call('HGET', KEYS[1], 'epoch') or '0'}
local sample = call('HRANDFIELD', KEYS[1], 16, 'WITHVALUES')
for i = 1, #sample, 2 do
  local since, till = string.match(sample[i + 1], '^(%d+) (%d+)$')
  if since and tonumber(till) <= now then
    call('HDEL', KEYS[1], sample[i])
  elseif since and tonumber(since) + 60000 <= now then
    reply[#reply + 1] = sample[i]
  end
end
return reply
