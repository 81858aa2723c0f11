#!lua flags=allow-oom
-- lock/beat-gate: say that some waiters are alive, and see to it that permits whose lease has ended go on.
-- KEYS  gate  hash, who is in and who waits
-- ARGV  channel     text, what the channels of processes begin with
--       patienceMs  int, so long they count as alive from now
--       capacity    int, of the gate
--       tokens…     text, the waiters
-- REPLY {'beat', leftMs:int, nowMs:int, missing…:text}
-- WHY   a message may be lost and a holder may die: those who wait look again, one call for all of a process. Who is missing from the
--       line was let in, or passed over for silence
-- COST  three commands a waiter, at most 100 a call; O(holders) when a lease may have ended
local call, sub, format = redis.call, string.sub, string.format
local capacity = tonumber(ARGV[3])
-- PUT gate
local alive = format('%013.0f', now + tonumber(ARGV[2]))
local reply = {'beat', 0, now}
read_gate()
for i = 4, #ARGV do
  local number = call('HGET', KEYS[1], 'p' .. ARGV[i])
  local line = number and call('HGET', KEYS[1], 'w' .. number)
  if line then
    call('HSET', KEYS[1], 'w' .. number, alive .. sub(line, 14))
  else
    reply[#reply + 1] = ARGV[i]
  end
end
if after == first and nearest == 0 then return reply end
end_due()
let_in()
save(ARGV[1])
reply[2] = math.max(0, nearest - now)
return reply
