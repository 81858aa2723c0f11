#!lua flags=allow-oom
-- log/remove: remove a group with all that it keeps. The entries of the log stay.
-- KEYS  entries  stream
--       state    hash
--       own…     what the group keeps
-- ARGV  group  text
-- REPLY {'removed', count:int}
-- WHY   a group that nobody processes would hold back the trimming for ever
-- COST  O(pending)
local call = redis.call
local gone = redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
call('HDEL', KEYS[2], 'read:' .. ARGV[1], 'drop:' .. ARGV[1], 'dropped:' .. ARGV[1])
for i = 3, #KEYS do call('UNLINK', KEYS[i]) end
local count = type(gone) == 'number' and gone or 0
return {'removed', count}
