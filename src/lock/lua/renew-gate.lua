#!lua flags=allow-oom
-- lock/renew-gate: give permits that are still held so much time from now; never less than they have.
-- KEYS  gate  hash, who is in and who waits
-- ARGV  holds…  text, for each holder his token and then the time in ms, without a space
-- REPLY {'renewed', still…:int}
-- WHY   only who holds it by the server's clock too: a lease that has ended is not brought back, for somebody may have been let in.
--       1 for each that was renewed, 0 for one that is lost
-- COST  two commands a holder; at most 100 a call
local call, sub, format = redis.call, string.sub, string.format
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = {'renewed'}
local longest = 0
for i = 1, #ARGV do
  local field = 'h' .. sub(ARGV[i], 1, 22)
  local own = call('HGET', KEYS[1], field)
  local expires = own and tonumber(sub(own, 18, 30)) or 0
  if expires > now then
    expires = math.max(expires, now + tonumber(sub(ARGV[i], 23)))
    call('HSET', KEYS[1], field, format('h%s%013.0f%s', sub(own, 2, 17), expires, sub(own, 31)))
    longest = math.max(longest, expires - now)
    reply[i + 1] = 1
  else
    reply[i + 1] = 0
  end
end
if longest > 0 then call('PEXPIRE', KEYS[1], format('%.0f', longest + 3600000), 'GT') end
return reply
