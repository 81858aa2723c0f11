#!lua flags=allow-oom
-- geo/remove-split: places are nowhere from now on; tell where they were.
-- KEYS  at    hash  by id where it is
-- ARGV  ids…  text
-- REPLY {'removed', before…:bytes}
--       before: by place 24 bytes, or '' where it was nowhere
-- WHY   of a set that is split, cells lie on other servers, and are rid of it after
-- COST  2 commands a place; 500 places at most
local reply = {'removed'}
for i = 1, #ARGV do
  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  redis.call('HDEL', KEYS[1], ARGV[i])
end
return reply
