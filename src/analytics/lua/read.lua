#!lua flags=no-writes
-- analytics/read: some counts of several buckets.
-- KEYS  counts…  hashes
-- ARGV  fields…  text
-- REPLY {'read', values…:text}
--       by bucket the value of each field, '' where there is none
-- WHY   one round trip for a window
-- COST  1 command a bucket; 256 buckets at most
local reply = {'read'}
for i = 1, #KEYS do
  local values = redis.call('HMGET', KEYS[i], unpack(ARGV))
  for j = 1, #ARGV do reply[#reply + 1] = values[j] or '' end
end
return reply
