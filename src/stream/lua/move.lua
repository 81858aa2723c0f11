#!lua flags=allow-oom
-- stream/move: change the rank of a job that waits, or take it away.
-- KEYS  delayed  zset, ids by when they are due
--       ids      hash, ids that users gave
--       bodies   hash, envelopes of those that are in no lane
--       ranked   zset, ids by their rank
--       grouped  zset, lines of groups
-- ARGV  id        text
--       priority  text, the new one; '' takes the job away
-- REPLY {'moved'} | {'missing'}
-- WHY   only one that is in no lane can be found by its id: it waits by exact rank, for its time, or in the line of its group
-- COST  six commands
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
-- PUT envelope
local id, envelope = ARGV[1], call('HGET', KEYS[3], ARGV[1])
if not envelope then return {'missing'} end
local rank = call('ZSCORE', KEYS[4], id)
if ARGV[2] == '' then
  local group = group_of(envelope)
  if group and not call('ZSCORE', KEYS[1], id) then
    -- Its place in the line is known by the line alone.
    for _, member in ipairs(call('ZRANGEBYLEX', KEYS[5], '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, 10000)) do
      if sub(member, #group + 19) == id then call('ZREM', KEYS[5], member) end
    end
  end
  call('ZREM', KEYS[4], id)
  call('ZREM', KEYS[1], id)
  call('HDEL', KEYS[3], id)
  if is_named(envelope) then call('HDEL', KEYS[2], id) end
  return {'moved'}
end
if byte(envelope, 1) < 64 then return {'missing'} end
local old, at = priority_of(envelope), 4 + byte(envelope, 3)
local flags, rest = byte(envelope, 1), at
if flags % 4 >= 2 then
  flags, rest = flags - 2, at + 1 + byte(envelope, at)
end
local written = ''
if ARGV[2] ~= '0' then
  flags, written = flags + 2, char(#ARGV[2]) .. ARGV[2]
end
call('HSET', KEYS[3], id, char(flags) .. sub(envelope, 2, at - 1) .. written .. sub(envelope, rest))
if rank then
  call('ZADD', KEYS[4], 'XX', format('%.0f', rank + (old - ARGV[2]) * 2 ^ 36), id)
end
return {'moved'}
