#!lua flags=allow-oom
-- cache/fence: remove entries, void their loads, and let nothing be loaded into them until the fence is lifted or ends by itself.
-- KEYS  entries…  by entry three: its value, string; its lease, string; its fences, sorted set of tokens by their end, expires
-- ARGV  token     text   the caller's own
--       fenceMs   int    how long the fence stands unless it is renewed, which is done by calling this again
--       channel   text   where waiting processes listen, or '' when none can wait
-- REPLY {'fenced'}
-- WHY   who changes the system of record must not have the old value loaded and stored again before it has the new one. A set, since
--       several may change one entry at once: it stays closed until the last of them has ended, and one that died keeps it for no
--       longer than its own end. A key of its own, since an invalidation by others removes the lease.
-- COST  O(entries), at most 7 commands each
local now = redis.call('TIME')
local nowMs = now[1] * 1000 + math.floor(now[2] / 1000)
local voided = {}
for i = 1, #KEYS, 3 do
  redis.call('ZADD', KEYS[i + 2], nowMs + ARGV[2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i + 2], '-inf', nowMs)
  local last = redis.call('ZRANGE', KEYS[i + 2], -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[i + 2], last[2])
  redis.call('UNLINK', KEYS[i])
  if redis.call('UNLINK', KEYS[i + 1]) == 1 and ARGV[3] ~= '' then
    voided[#voided + 1] = KEYS[i]
  end
end
for _, key in ipairs(voided) do
  redis.call('PUBLISH', ARGV[3], key)
end
return {'fenced'}
