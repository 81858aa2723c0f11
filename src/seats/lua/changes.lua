#!lua flags=no-writes
-- seats/changes: what happened after a version, without a gap.
-- KEYS  event  hash, what is counted and agreed
--       log    stream, one entry a change
-- ARGV  since  int, 0 for the whole log
--       most   int
-- REPLY {'changes', version:int, layout:text, entries:list} | {'lost', version:int} | {'no-event'}
-- WHY   the first entry must be the next number: an older one was trimmed away, and a version that the event has not reached
--       belongs to an event that was rolled back or made anew
-- COST  O(most)
local event = redis.call('HMGET', KEYS[1], 'version', 'layout')
if not event[1] then return {'no-event'} end
local version, since = tonumber(event[1]), tonumber(ARGV[1])
if since > version then return {'lost', version} end
local entries = {}
if since < version then
  local start = since == 0 and '-' or '(' .. ARGV[1] .. '-0'
  entries = redis.call('XRANGE', KEYS[2], start, '+', 'COUNT', ARGV[2])
  local first = entries[1]
  if not first then return {'lost', version} end
  if since == 0 then
    if first[2][2] ~= 'created' then return {'lost', version} end
  elseif first[1] ~= (since + 1) .. '-0' then
    return {'lost', version}
  end
end
return {'changes', version, event[2], entries}
