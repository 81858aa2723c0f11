#!lua flags=allow-oom
-- lock/release-gate-forced: take a gate's permits away from all who hold some, and tell them.
-- KEYS  gate  hash, who is in and who waits
-- ARGV  channel   text, what the channels of processes begin with
--       capacity  int, of the gate
-- REPLY {'released', count:int} | {'free'}
-- WHY   an operator's last means: the old holders may still be at work, and only a resource that checks the fence is safe from them
-- COST  O(holders)
local call, sub, format = redis.call, string.sub, string.format
local capacity = tonumber(ARGV[2])
-- PUT gate
read_gate()
end_due()
local fields, lost = call('HGETALL', KEYS[1]), {}
for i = 1, #fields, 2 do
  if sub(fields[i], 1, 1) == 'h' then
    lost[#lost + 1] = {sub(fields[i + 1], 38, 59), 'lost ' .. sub(fields[i], 2)}
    call('HDEL', KEYS[1], fields[i])
  end
end
if #lost == 0 then return {'free'} end
used, nearest = 0, 0
let_in()
save(ARGV[1])
for i = 1, #lost do call('PUBLISH', ARGV[1] .. lost[i][1], lost[i][2]) end
return {'released', #lost}
