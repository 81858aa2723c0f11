#!lua flags=allow-oom
-- log/remove: remove a group with all that it keeps. The entries of the log stay.
-- KEYS  entries  stream
--       state    hash
--       gone     sorted set of groups that were removed, by when
--       own…     what the group keeps
-- ARGV  group    text
--       channel  text  whom to tell
-- REPLY {'removed', count:int}
-- WHY   a group that nobody processes would hold back the trimming for ever. That it was removed is known for a day: workers of it end, and
--       do not make it anew as where a server was emptied
-- COST  O(pending)
local call = redis.call
local gone = redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
call('HDEL', KEYS[2], 'read:' .. ARGV[1], 'drop:' .. ARGV[1], 'dropped:' .. ARGV[1], 'blamed:' .. ARGV[1])
for i = 4, #KEYS do call('UNLINK', KEYS[i]) end
local count = type(gone) == 'number' and gone or 0
local now = call('TIME')[1]
if count > 0 then call('ZADD', KEYS[3], now, ARGV[1]) end
call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 86400)
call('PUBLISH', ARGV[2], 'removed')
return {'removed', count}
