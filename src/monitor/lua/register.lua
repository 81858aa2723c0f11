#!lua
-- monitor/register: note that a metric is being written, and forget those that have not been for long.
-- KEYS  names   zset
-- ARGV  keepMs  int   how long a name stays after its last batch
--       names…  text
-- REPLY {'registered'}
-- WHY   A process says so once a minute for each of its names, so that the list costs next to nothing.
-- COST  O(names + forgotten)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[1])))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'registered'}
