#!lua flags=allow-oom
-- cache/lift: remove entries once more, void what is being written to them, and lift one caller's fence.
-- KEYS  entries…  by entry three: its value, string; its lease, string; its fences, sorted set of tokens by their end, expires
-- ARGV  token     text   under which the fence was put up
--       channel   text   where waiting processes listen, or '' when none can wait
-- REPLY {'lifted'}
-- WHY   a fence refuses loads, but not who sets a value, nor is it there any more if it was evicted or took too long: so the entry is
--       removed whatever became of the fence. Those of others stay, each until its own end.
-- COST  O(entries), at most 7 commands each
local now = redis.call('TIME')
local nowMs = now[1] * 1000 + math.floor(now[2] / 1000)
local voided = {}
for i = 1, #KEYS, 3 do
  redis.call('ZREM', KEYS[i + 2], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i + 2], '-inf', nowMs)
  local last = redis.call('ZRANGE', KEYS[i + 2], -1, -1, 'WITHSCORES')
  if last[2] then
    redis.call('PEXPIREAT', KEYS[i + 2], last[2])
  end
  redis.call('UNLINK', KEYS[i])
  if redis.call('UNLINK', KEYS[i + 1]) == 1 and ARGV[2] ~= '' then
    voided[#voided + 1] = KEYS[i]
  end
end
for _, key in ipairs(voided) do
  redis.call('PUBLISH', ARGV[2], key)
end
return {'lifted'}
