#!lua
-- cache/fill: write what was loaded for each entry whose lease still stands, and end the lease.
-- KEYS  pairs…   by entry: its value, string, expires; its lease, string
-- ARGV  token    text   the lease under which it was loaded
--       channel  text   where waiting processes listen, or '' when none can wait
--       frames…  bytes  by entry two: its life in ms; its frame
-- REPLY {'filled'} | {'mixed', outcomes…:text}   filled: all of them; mixed, by entry: 'filled' | 'voided'
-- WHY   a lease that is gone was voided by an invalidation or a newer write: what was loaded under it may be old
-- COST  O(entries), at most 4 commands each
local voided = 0
local outcomes = {'mixed'}
for i = 1, #KEYS, 2 do
  local lease = redis.call('GET', KEYS[i + 1])
  local stands = lease and string.sub(lease, 1, 22) == ARGV[1]
  if stands then
    redis.call('SET', KEYS[i], ARGV[i + 3], 'PX', ARGV[i + 2])
    redis.call('DEL', KEYS[i + 1])
  else
    voided = voided + 1
  end
  outcomes[#outcomes + 1] = stands and 'filled' or 'voided'
  if ARGV[2] ~= '' and (not stands or #lease > 22) then
    redis.call('PUBLISH', ARGV[2], KEYS[i])
  end
end
if voided == 0 then
  return {'filled'}
end
return outcomes
