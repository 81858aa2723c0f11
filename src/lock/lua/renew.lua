#!lua flags=allow-oom
-- lock/renew: give locks that are still held so much time from now; never less than they have.
-- KEYS  locks…  strings, who has each and who waits
-- ARGV  holds…  text, for each lock its token and then the time in ms, without a space
-- REPLY {'renewed', still…:int}
-- WHY   only who holds it by the server's clock too: a lease that has ended is not brought back, for somebody may have seen it free.
--       1 for each that was renewed, 0 for one that is lost
-- COST  three commands a lock; at most 100 locks a call
local call, sub, format = redis.call, string.sub, string.format
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = {'renewed'}
for i = 1, #KEYS do
  local value, token = call('GET', KEYS[i]), sub(ARGV[i], 1, 22)
  local expires = value and sub(value, 18, 39) == token and tonumber(sub(value, 40, 52)) or 0
  if expires > now then
    expires = math.max(expires, now + tonumber(sub(ARGV[i], 23)))
    value = format('h%s%013.0f%s', sub(value, 2, 39), expires, sub(value, 53))
    call('SET', KEYS[i], value, 'PX', format('%.0f', expires - now + 3600000))
    reply[i + 1] = 1
  else
    reply[i + 1] = 0
  end
end
return reply
