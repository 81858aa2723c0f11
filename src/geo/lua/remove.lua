#!lua flags=allow-oom
-- geo/remove: places are nowhere from now on.
-- KEYS  at     hash  by id where it is
--       cells  zset  where it is and its id, by cell
-- ARGV  ids…   text
-- REPLY {'removed'}
-- WHY   where it is found is known by where it is
-- COST  3 commands a place; 500 places at most
for i = 1, #ARGV do
  local before = redis.call('HGET', KEYS[1], ARGV[i])
  if before then
    redis.call('ZREM', KEYS[2], before .. ARGV[i])
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return {'removed'}
