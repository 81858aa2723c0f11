#!lua flags=no-writes
-- cache/inspect: how it stands with one entry, all at one moment.
-- KEYS  value   string, the frame
--       lease   string, the holder's token, and '+' once somebody waits
--       fences  sorted set of tokens by their end
-- REPLY {'seen', frame:bytes, lifeMs:int, lease:text, leaseMs:int, changes:int, fenceMs:int}
--       frame is '' where there is none of ours; lifeMs and leaseMs as PTTL says, -2 where there is nothing; fenceMs 0 where there is none
-- WHY   several commands would show several moments
-- COST  O(1), 6 commands
local now = redis.call('TIME')
local nowMs = now[1] * 1000 + math.floor(now[2] / 1000)
local frame = redis.pcall('GET', KEYS[1])
local lease = redis.call('GET', KEYS[2])
local fences = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
local changes, fenceMs = 0, 0
for i = 2, #fences, 2 do
  if tonumber(fences[i]) > nowMs then
    changes = changes + 1
    fenceMs = fences[i] - nowMs
  end
end
return {
  'seen',
  type(frame) == 'string' and frame or '',
  redis.call('PTTL', KEYS[1]),
  lease or '',
  redis.call('PTTL', KEYS[2]),
  changes,
  fenceMs,
}
