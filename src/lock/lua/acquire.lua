#!lua
-- lock/acquire: take a lock that is free, or stand in line for it.
-- KEYS  lock  string, who has it and who waits
-- ARGV  token       text, 22 letters: makes the call safe to repeat
--       ttlMs       int
--       patienceMs  int, so long a waiter counts as alive without a word; 0: does not wait
--       inbox       text, 22 letters: where the caller's process is told
--       channel     text, what its channel begins with
--       owner       text, who asks, for those who look
--       keepMs      int, an hour more than the ttl
-- REPLY {'held', fence:text, nowMs:int} | {'queued', leftMs:int, nowMs:int} | {'taken', leftMs:int, owner:text} | {'crowded', bytes:int}
-- WHY   whoever comes second must not overtake: a lock whose lease has ended goes to the first in line, not to who noticed it
--       Most locks are free: that path comes first, and without the functions of the others
-- COST  three commands when free: 4 µs; with a queue one read and one write of it, 75 bytes a waiter
local call, sub, find, format = redis.call, string.sub, string.find, string.format
local value, clock = call('GET', KEYS[1]), call('TIME')
if not value or #value == 17 then
  -- The fence as text: its 16 digits can be compared as they are.
  local fence = clock[1] .. sub('00000' .. clock[2], -6)
  if value and sub(value, 2) >= fence then fence = format('%016.0f', tonumber(sub(value, 2)) + 1) end
  local expires = format('%013d', clock[1] * 1000 + clock[2] / 1000 + ARGV[2])
  call('SET', KEYS[1], 'h' .. fence .. ARGV[1] .. expires .. ARGV[4] .. ARGV[6], 'PX', ARGV[7])
  return {'held', fence, clock[1] * 1000 + clock[2] / 1000}
end
-- PUT line
local token, ttl, patience = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local state, last, expires, queue = read_lock(value)

if expires > now and sub(value, 18, 39) == token then
  -- A repeat, or it was given to him and he has not heard: his full time from now.
  if now + ttl > expires then expires = now + ttl end
  write_held('h', last, token, expires, sub(value, 53))
  return {'held', format('%.0f', last), now}
end

local line = format('\n%013.0f%013.0f%s%s%s', now + patience, ttl, token, ARGV[4], ARGV[6])
if patience > 0 and (expires > now or queue ~= '') and not find(queue, token, 1, true) then
  -- 10,000 waiters: more would make each call a matter of milliseconds.
  if #queue > 750000 then return {'crowded', #queue} end
  if expires > now then
    call('SET', KEYS[1], value .. line, 'KEEPTTL')
    return {'queued', expires - now, now}
  end
  queue = queue .. line
end
if expires > now then
  if patience > 0 then return {'queued', expires - now, now} end
  return {'taken', expires - now, string.match(value, '^[^\n]*', 75)}
end

if queue ~= '' then
  local silent = state == 'g' and sub(value, 53, 74) or ''
  local granted, inbox, fence, lease = pass_on(last, queue, silent)
  if granted == token then
    local rest = sub(call('GET', KEYS[1]), 53)
    write_held('h', fence, token, now + ttl, rest)
    return {'held', format('%.0f', fence), now}
  end
  if granted then
    tell(ARGV[5], granted, inbox, fence, lease)
    if patience > 0 then return {'queued', lease, now} end
    return {'taken', lease, ''}
  end
  -- All who were looked at are gone. Where more stand behind them, the next call goes on.
  if #call('GET', KEYS[1]) > 17 then
    if patience > 0 then return {'queued', 0, now} end
    return {'taken', 0, ''}
  end
end
local fence = next_fence(last)
write_held('h', fence, token, now + ttl, ARGV[4] .. ARGV[6])
return {'held', format('%.0f', fence), now}
