#!lua
-- geo/swap: say where places are, and tell where they were.
-- KEYS  at       hash  by id where it is
-- ARGV  lateS    int    how old the stamps of these may be, in s, or how far ahead
--       places…  bytes  by place its id, and where it is (24 bytes)
-- REPLY {'swapped', before…:bytes} | {'late', nowS:int}
--       before: by place 24 bytes, or '' where it was nowhere; late: nothing was changed, and what time it is here
-- WHY   of a set that is split, cells lie on other servers: the new one is told before, the old one rid of it after. What comes late
--       is refused, so that an entry of a cell that is much older, and that no id confirms, can be cleared away: nobody will confirm it
-- COST  2 commands a place; 500 places at most
local now = tonumber(redis.call('TIME')[1])
for i = 3, #ARGV, 2 do
  if math.abs(now - struct.unpack('<I4', ARGV[i], 17)) > tonumber(ARGV[1]) then return {'late', now} end
end
local reply = {'swapped'}
for i = 2, #ARGV, 2 do
  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
return reply
