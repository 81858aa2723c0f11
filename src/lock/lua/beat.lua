#!lua flags=allow-oom
-- lock/beat: say that some waiters are alive, and see to it that a lock whose lease has ended goes on.
-- KEYS  lock  string, who has it and who waits
-- ARGV  channel     text, what the channels of processes begin with
--       patienceMs  int, so long they count as alive from now
--       tokens…     text, the waiters
-- REPLY {'beat', leftMs:int, nowMs:int, missing…:text}
-- WHY   a message may be lost and a holder may die: those who wait look again, one call for all of a process. Who is missing from the
--       line was given the lock, or passed over for silence
-- COST  one read and one write of the queue, 75 bytes a waiter; at most 100 tokens a call
local call, sub, find, format = redis.call, string.sub, string.find, string.format
local clock = call('TIME')
-- PUT line
local value = call('GET', KEYS[1])
local state, last, expires, queue = read_lock(value)
local reply = {'beat', 0, now}
local alive, head = format('%013.0f', now + tonumber(ARGV[2])), nil
if value then head = sub(value, 1, #value - #queue) end
for i = 3, #ARGV do
  local at = find(queue, ARGV[i], 1, true)
  if at then
    queue = sub(queue, 1, at - 27) .. alive .. sub(queue, at - 13)
  else
    reply[#reply + 1] = ARGV[i]
  end
end
if expires > now or queue == '' then
  if queue ~= '' then call('SET', KEYS[1], head .. queue, 'KEEPTTL') end
  reply[2] = math.max(0, expires - now)
  return reply
end
local granted, inbox, fence, lease = pass_on(last, queue, state == 'g' and sub(value, 53, 74) or '')
if granted then
  reply[2] = lease
  tell(ARGV[1], granted, inbox, fence, lease)
end
return reply
