#!lua flags=allow-oom
-- value/remove: end a value and its log.
-- KEYS  value  hash
--       log    stream
-- ARGV  token    text  12 letters, the caller's own
--       again    text  '1': an attempt with this token may have been carried out
--       graveMs  int   how long it is remembered that the value was deleted
-- REPLY {'removed'} | {'repeated'} | {'doubtful'}
-- WHY   what is left says which writes have been done: a repeat that comes late neither deletes what was written since, nor brings back
--       what was deleted
-- COST  O(1), at most 6 commands, and O(entries) of the log in the background
-- PUT history
local value = redis.call('HMGET', KEYS[1], 'history', 'at')
local history = value[1]
if not history then
  redis.call('UNLINK', KEYS[2])
  return {'removed'}
end
if is_done(history, ARGV[1]) then return {'repeated'} end
if ARGV[2] == '1' and is_doubtful(history, '*') then return {'doubtful'} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'history', add(history, ARGV[1], now - tonumber(value[2] or now)), 'at',
  string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'removed'}
