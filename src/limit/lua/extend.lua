#!lua flags=allow-oom
-- limit/extend: keep permits of one token for another while.
-- KEYS  permits…  zset, permits by when they end
-- ARGV  token     text
--       weight    int    permits under the token in each zset
--       lives…    text   by zset, how long, in µs
-- REPLY {'extended'} | {'gone'}
-- WHY   a permit that has run out may be another's by now: it is not taken back
-- COST  O(zsets × weight)
-- PUT clock
for i = 1, #KEYS do
  local ends = tonumber(redis.call('ZSCORE', KEYS[i], ARGV[1]) or 0)
  if ends <= now then return {'gone'} end
end
for i = 1, #KEYS do
  local life = tonumber(ARGV[i + 2])
  local ends = string.format('%.0f', now + life)
  for n = 1, tonumber(ARGV[2]) do
    redis.call('ZADD', KEYS[i], 'XX', ends, n == 1 and ARGV[1] or ARGV[1] .. '#' .. n)
  end
  local ms = math.ceil(life / 1000) + 1
  if redis.call('PTTL', KEYS[i]) < ms then redis.call('PEXPIRE', KEYS[i], ms) end
end
return {'extended'}
