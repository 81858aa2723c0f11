#!lua
-- lock/acquire-gate: take permits that are free, or stand in line for them.
-- KEYS  gate  hash, who is in and who waits
-- ARGV  token       text, 22 letters: makes the call safe to repeat
--       ttlMs       int
--       patienceMs  int, so long a waiter counts as alive without a word; 0: does not wait
--       inbox       text, 22 letters: where the caller's process is told
--       channel     text, what its channel begins with
--       permits     int, wanted
--       capacity    int, of the gate
--       owner       text, who asks, for those who look
-- REPLY {'held', fence:text, nowMs:int} | {'queued', leftMs:int, nowMs:int} | {'taken', leftMs:int} | {'crowded', waiting:int}
-- WHY   first come, first served: whoever does not fit is waited for, so that a writer is not starved by readers
-- COST  six commands when free: 10 µs; O(holders) when a lease may have ended
local call, sub, format = redis.call, string.sub, string.format
local token, ttl, patience = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local permits, capacity = tonumber(ARGV[6]), tonumber(ARGV[7])
-- PUT gate
read_gate()
end_due()
let_in()
local own = call('HGET', KEYS[1], 'h' .. token)
if own and expires_of(own) > now then
  -- A repeat, or he was let in and has not heard: his full time from now.
  local fence = sub(own, 2, 17)
  write_holder('h', tonumber(fence), token, math.max(expires_of(own), now + ttl), permits_of(own), sub(own, 38))
  save(ARGV[5])
  return {'held', format('%.0f', tonumber(fence)), now}
end
local left = math.max(0, nearest - now)
if first >= after and used + permits <= capacity then
  last, used = math.max(last + 1, micros), used + permits
  write_holder('h', last, token, now + ttl, permits, ARGV[4] .. ARGV[8])
  save(ARGV[5])
  return {'held', format('%.0f', last), now}
end
if patience == 0 then
  save(ARGV[5])
  return {'taken', left}
end
if call('HEXISTS', KEYS[1], 'p' .. token) == 0 then
  if after - first >= 10000 then
    save(ARGV[5])
    return {'crowded', after - first}
  end
  local number = format('%.0f', after)
  local line = format('%013.0f%013.0f%07.0f%s%s%s', now + patience, ttl, permits, token, ARGV[4], ARGV[8])
  call('HSET', KEYS[1], 'w' .. number, line, 'p' .. token, number)
  after = after + 1
end
save(ARGV[5])
return {'queued', left, now}
