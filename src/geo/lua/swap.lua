#!lua
-- geo/swap: say where places are, and tell where they were.
-- KEYS  at       hash  by id where it is
-- ARGV  places…  bytes  by place its id, and where it is (24 bytes)
-- REPLY {'swapped', before…:bytes}
--       before: by place 24 bytes, or '' where it was nowhere
-- WHY   of a set that is split, cells lie on other servers: the new one is told before, the old one rid of it after
-- COST  2 commands a place; 500 places at most
local reply = {'swapped'}
for i = 1, #ARGV, 2 do
  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
return reply
