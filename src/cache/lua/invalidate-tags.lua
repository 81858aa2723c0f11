#!lua flags=allow-oom
-- cache/invalidate-tags: give some tags a new epoch, so that no entry that carries an older one is fresh.
-- KEYS  generation    string, server µs of the last invalidation of any tag, only grows, expires
--       tags…         string, epoch, expires
-- ARGV  nonce         text   makes the epoch unlike any before
--       lifeMs        int    an epoch must outlive every entry that carries an older one
-- REPLY {'invalidated'}
-- WHY   seeded by time, so that the generation may expire or be lost and still only grows
-- COST  O(tags), whatever the number of entries
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local now = redis.call('TIME')
local generation = string.format('%.0f', math.max(last + 1, now[1] * 1000000 + now[2]))
redis.call('SET', KEYS[1], generation, 'PX', math.max(ARGV[2], 86400000))
for i = 2, #KEYS do
  redis.call('SET', KEYS[i], generation .. '.' .. ARGV[1], 'PX', ARGV[2])
end
return {'invalidated'}
