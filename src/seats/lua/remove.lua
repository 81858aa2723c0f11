#!lua flags=allow-oom
-- seats/remove: forget the event, its sales and its log.
-- KEYS  event    hash
--       keys…    all its other keys
-- ARGV  channel  text
-- REPLY {'removed'} | {'no-event'}
-- WHY   UNLINK frees in the background; the doorbell tells those who follow the event
-- COST  O(1) a key
local removed = redis.call('UNLINK', KEYS[1])
for i = 2, #KEYS do removed = removed + redis.call('UNLINK', KEYS[i]) end
if removed == 0 then return {'no-event'} end
redis.call('PUBLISH', ARGV[1], 0)
return {'removed'}
