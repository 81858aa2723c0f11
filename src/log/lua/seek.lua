#!lua
-- log/seek: have a group go on from some other point, back or forth.
-- KEYS  entries  stream
--       state    hash
--       own…     what the group keeps beside, but for what is dead
-- ARGV  group    text
--       from     text  'first', 'now', or the id of the first entry that it gets, be it there or not
--       channel  text  whom to wake
-- REPLY {'sought', lag:int} | {'unknown'}
-- WHY   what it has at work, in line or waiting for its next try is of where it stood: all of that ends in this step, and its consumers have
--       lost their leases. What is dead stays
-- COST  O(pending)
local call = redis.call
local group, added = ARGV[1], call('HGET', KEYS[2], 'added') or '0'
-- PUT point
local DESTROY, CREATE = 'DESTROY', 'CREATE'
local gone = redis.pcall('XGROUP', DESTROY, KEYS[1], group)
if type(gone) == 'table' or gone == 0 then return {'unknown'} end
local start, read = find_point(KEYS[1], ARGV[2], added, call('HGET', KEYS[2], 'trimmed') or '0')
call('XGROUP', CREATE, KEYS[1], group, start)
call('HSET', KEYS[2], 'read:' .. group, read)
for i = 3, #KEYS do call('UNLINK', KEYS[i]) end
call('PUBLISH', ARGV[3], 'sought')
return {'sought', added - read}
