#!lua
-- lock/begin-once: run something under this key, or learn what became of it.
-- KEYS  once  hash, who runs it, who waits, then the result
-- ARGV  token        text, 22 letters: makes the call safe to repeat
--       leaseMs      int
--       fingerprint  text, of the request
--       inbox        text, where the caller's process is told
-- REPLY {'run', fence:text} | {'pending', leftMs:int} | {'done', json:text, types:text} | {'failed', json:text} | {'conflict'}
-- WHY   one call decides who runs it: two that ask together cannot both be told to. A lease that has ended is taken over
-- COST  five commands at most: 6 µs, and the result
local call, format = redis.call, string.format
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
-- s state: p pending, d done, e failed; t token; u when the lease ends; f fence; p fingerprint; j, y the result; w<inbox> who waits
local once = call('HMGET', KEYS[1], 's', 't', 'u', 'f', 'p')
local state, last = once[1], tonumber(once[4] or 0)
if state and once[5] ~= ARGV[3] then return {'conflict'} end
if state == 'd' then
  local result = call('HMGET', KEYS[1], 'j', 'y')
  return {'done', result[1], result[2]}
end
if state == 'e' then return {'failed', call('HGET', KEYS[1], 'j')} end
local left = state and tonumber(once[3]) - now or 0
if left > 0 then
  if once[2] == ARGV[1] then return {'run', format('%.0f', last)} end
  call('HSET', KEYS[1], 'w' .. ARGV[4], '1')
  return {'pending', left}
end
local fence = micros
if last >= micros then fence = last + 1 end
local expires = format('%.0f', now + tonumber(ARGV[2]))
call('HSET', KEYS[1], 's', 'p', 't', ARGV[1], 'u', expires, 'f', format('%.0f', fence), 'p', ARGV[3])
-- Whoever waits looks again twice a second: after ten seconds nobody is left to whom it matters.
call('PEXPIRE', KEYS[1], format('%.0f', tonumber(ARGV[2]) + 10000))
return {'run', format('%.0f', fence)}
