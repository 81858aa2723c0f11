#!lua
-- limit/block: admit nobody under this id for a while.
-- KEYS  state  hash
-- ARGV  forUs  text   how long, in µs
-- REPLY {'blocked'}
-- WHY   the state is kept until both the block and what it counts have ended. Each state is marked: who reads but that finds the block
-- COST  5 commands, and one for each rule
-- PUT clock
-- PUT outlive
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= 'blocked' and #all[i + 1] == 24 then redis.call('HSET', KEYS[1], all[i], all[i + 1] .. '!') end
end
redis.call('HSET', KEYS[1], 'blocked', string.format('%.0f', now + tonumber(ARGV[1])))
outlive(KEYS[1], tonumber(ARGV[1]))
return {'blocked'}
