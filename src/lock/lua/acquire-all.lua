#!lua
-- lock/acquire-all: take several locks of one slot, all of them or none.
-- KEYS  locks…  strings, who has each and who waits
-- ARGV  ttlMs    int
--       inbox    text, 22 letters: where the caller's process is told
--       owner    text, who asks, for those who look
--       tokens…  text, 22 letters for each lock: make the call safe to repeat
-- REPLY {'held', fence:text, nowMs:int} | {'taken', which:int, leftMs:int}
-- WHY   one fence for all, above each one's last; who does not get all has touched none, so nobody is waited for in a circle. A lock
--       that somebody waits for counts as taken
-- COST  two commands a lock; at most 100 locks
local call, sub, find, format = redis.call, string.sub, string.find, string.format
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local fence, expires = micros, now + tonumber(ARGV[1])
for i = 1, #KEYS do
  local value = call('GET', KEYS[i])
  if value then
    local last, left = tonumber(sub(value, 2, 17)), 0
    if sub(value, 1, 1) ~= 'f' then left = tonumber(sub(value, 40, 52)) - now end
    local own = left > 0 and sub(value, 18, 39) == ARGV[i + 3]
    if not own and (left > 0 or find(value, '\n', 18, true)) then return {'taken', i, math.max(0, left)} end
    if last >= fence then fence = last + 1 end
  end
end
for i = 1, #KEYS do
  local value = format('h%016.0f%s%013.0f%s%s', fence, ARGV[i + 3], expires, ARGV[2], ARGV[3])
  call('SET', KEYS[i], value, 'PX', format('%.0f', expires - now + 3600000))
end
return {'held', format('%.0f', fence), now}
