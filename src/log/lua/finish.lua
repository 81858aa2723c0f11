#!lua flags=allow-oom
-- log/finish: a consumer's last turn at a group: settle what it has done, and hand back what it has not.
-- KEYS  entries    stream
--       consumers  sorted set by the end of their leases
--       retry      sorted set of ids by when they are due again
--       marks      hash: f:id, how often it failed; c:id, how often its consumer died; b:key, which entry has it; k:id, which key it has
--       dead       stream
--       line       sorted set, by text: entries that wait for one before them of their key
-- ARGV  group     text
--       consumer  text
--       channel   text  whom to wake for what is handed back
--       keep      int   as log/turn has it
--       settled…  text  as log/turn has it
-- REPLY {'finished'}
-- WHY   who ends in order is blamed for nothing, and others go on at once
-- COST  O(settled + 1000)
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local entries, consumers, retry, marks, dead, line = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, me, keep = ARGV[1], ARGV[2], ARGV[4]
local function text(number) return string.format('%.0f', number) end
-- PUT parking
-- PUT settling
local look = redis.pcall('XPENDING', entries, group)
local lease = call('ZSCORE', consumers, me)
if look.err or not lease or tonumber(lease) < 0 then return {'finished'} end
settle(5)
put_back_others({})
call('XGROUP', 'DELCONSUMER', entries, group, me)
call('ZREM', consumers, me)
call('PUBLISH', ARGV[3], 'back')
return {'finished'}
