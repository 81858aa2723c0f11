#!lua flags=allow-oom
-- seats/pause: stop the sale, or go on with it.
-- KEYS  event    hash, what is counted and agreed
--       log      stream, one entry a change
-- ARGV  state    text, 'paused' or 'open'
--       channel  text
-- REPLY {'set', version:int} | {'same', version:int} | {'no-event'} | {'broken', where:text}
-- WHY   a change like any other, in the log, so that every seat map learns of it
-- COST  O(1)
local event = redis.call('HMGET', KEYS[1], 'version', 'state')
if not event[1] then return {'no-event'} end
local version = tonumber(event[1])
if event[2] == ARGV[1] then return {'same', version} end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kind = ARGV[1] == 'open' and 'resumed' or 'paused'
local entry = (version + 1) .. '-0'
if not redis.call('XADD', KEYS[2], 'NOMKSTREAM', entry, 'kind', kind, 'hold', '', 'cells', '', 'at', now, 'by', '') then
  return {'broken', KEYS[2]}
end
redis.call('HSET', KEYS[1], 'version', version + 1, 'state', ARGV[1])
redis.call('PUBLISH', ARGV[2], version + 1)
return {'set', version + 1}
