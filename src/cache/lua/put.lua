#!lua
-- cache/put: write an entry, and void any load of it that is under way.
-- KEYS  value    string, the frame, expires
--       lease    string
-- ARGV  frame    bytes
--       lifeMs   int
--       channel  text   where waiting processes listen, or '' when none can wait
-- REPLY {'written'}
-- WHY   a load that began before this write may hold an older value
-- COST  O(1), 2 to 3 commands
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if redis.call('DEL', KEYS[2]) == 1 and ARGV[3] ~= '' then
  redis.call('PUBLISH', ARGV[3], KEYS[1])
end
return {'written'}
