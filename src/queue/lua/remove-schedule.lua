#!lua flags=allow-oom
-- queue/remove-schedule: no more jobs of a schedule.
-- KEYS  schedules  hash, records and last slots by schedule
--       slots      zset, schedules by their next slot
-- ARGV  id  text
-- REPLY {'removed', count:int}
-- WHY   the jobs of slots that have come are jobs like any others, and stay
-- COST  two commands
redis.call('HDEL', KEYS[1], 'r:' .. ARGV[1], 'l:' .. ARGV[1])
return {'removed', redis.call('ZREM', KEYS[2], ARGV[1])}
