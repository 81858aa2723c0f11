#!lua flags=no-writes
-- analytics/fill: how full samples are, and the highest rank in each.
-- KEYS  samples…  zsets
-- REPLY {'fill', fills…:text}
--       by sample how many visitors it has, and the highest score
-- WHY   visitors can be compared up to the lowest rank at which any of the samples ends
-- COST  2 commands a sample; 256 samples at most
local reply = {'fill'}
for i = 1, #KEYS do
  reply[#reply + 1] = tostring(redis.call('ZCARD', KEYS[i]))
  reply[#reply + 1] = redis.call('ZRANGE', KEYS[i], -1, -1, 'WITHSCORES')[2] or '0'
end
return reply
