#!lua flags=allow-oom
-- stream/move: change the rank of a job that waits, or take it away.
-- KEYS  state    hash, layout and more
--       delayed  zset, ids by when they are due
--       ids      hash, ids that users gave
--       bodies   hash, envelopes of those that are in no lane
--       ranked   zset, ids by their rank
--       grouped  zset, lines of groups
--       parked   zset, groups whose first job waits for its next attempt
--       idle     zset, processes that want to be told
--       wake     list, a token for a process that blocks until it is told
--       family   hash, what its children came to
--       kin      hash, what its parent's children came to
-- ARGV  id        text
--       priority  text, the new one; '' takes the job away
--       channel   text, what the channels of processes begin with
-- REPLY {'moved'} | {'missing'}
-- WHY   only one that is in no lane can be found by its id: it waits by exact rank, for its time, or in the line of its group. A group that waits
--       for the next attempt of the one that is taken away waits no longer: the next turn takes it up
-- COST  eight commands, three more for a group that waited
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local id, idle, wake, channel = ARGV[1], KEYS[8], KEYS[9], ARGV[3]
local envelope = call('HGET', KEYS[4], id)
if not envelope then return {'missing'} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
-- PUT ring
-- PUT envelope
-- PUT parent
local rank = call('ZSCORE', KEYS[5], id)
if ARGV[2] == '' then
  local group, freed = group_of(envelope), false
  if group and not call('ZSCORE', KEYS[2], id) then
    -- Its place in the line is known by the line alone; further behind, whoever comes to it finds no job there.
    local line = call('ZRANGEBYLEX', KEYS[6], '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, 10000)
    local function is_again(member)
      return member and byte(member, #group + 2) == 48
    end
    for i, member in ipairs(line) do
      if sub(member, #group + 19) == id then
        call('ZREM', KEYS[6], member)
        freed = i == 1 and is_again(member) and not is_again(line[2])
      end
    end
  end
  call('ZREM', KEYS[5], id)
  call('ZREM', KEYS[2], id)
  call('HDEL', KEYS[4], id)
  if is_named(envelope) then call('HDEL', KEYS[3], id) end
  call('DEL', KEYS[10])
  if leave_parent(KEYS[2], KEYS[11], id) then ring() end
  if freed and call('ZADD', KEYS[7], 'XX', 'CH', now, group) == 1 then ring() end
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
call('HSET', KEYS[4], id, char(flags) .. sub(envelope, 2, at - 1) .. written .. sub(envelope, rest))
if rank then
  call('ZADD', KEYS[5], 'XX', format('%.0f', rank + (old - ARGV[2]) * 2 ^ 36), id)
end
return {'moved'}
