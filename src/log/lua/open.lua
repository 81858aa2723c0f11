#!lua flags=allow-oom
-- log/open: make a group that reads from some point on, unless it is there.
-- KEYS  entries  stream, made if it is not there
--       state    hash; by group 'read:', the number of the last entry that it was given; 'drop:', its dropAfter; 'dropped:'
--       gone     sorted set of groups that were removed, by when
-- ARGV  group   text
--       from    text  'first', 'now', or the id of the first entry that it gets, be it there or not
--       dropMs  int   how old what it has not acknowledged must be to be dropped all the same; -1: never
-- REPLY {'opened'} | {'stood'}
-- WHY   a group that is there goes on where it stands, whatever is said about its beginning. Also on a full server: each process that begins asks,
--       and what its group has not done cannot be trimmed
-- COST  O(groups)
local call = redis.call
local state, group, from = KEYS[2], ARGV[1], ARGV[2]
local added = call('HGET', state, 'added') or '0'
-- PUT point
local start, read = find_point(KEYS[1], from, added, call('HGET', state, 'trimmed') or '0')
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], group, start, 'MKSTREAM')
local stood = type(made) == 'table' and made.err
if stood and not string.find(stood, 'BUSYGROUP', 1, true) then return redis.error_reply(stood) end
if ARGV[3] == '-1' then
  call('HDEL', state, 'drop:' .. group)
else
  call('HSET', state, 'drop:' .. group, ARGV[3])
end
if stood then return {'stood'} end
call('ZREM', KEYS[3], group)
call('HSET', state, 'read:' .. group, read)
return {'opened'}
