#!lua flags=allow-oom
-- lease/renew: give leases of one token that still stand their full time again.
-- KEYS  leases…  string, the holder's token, 22 letters, and what its room adds to it; expires
-- ARGV  token    text
--       leaseMs  int
-- REPLY {'renewed', count:int}
-- WHY   PEXPIRE of a key that another holds now would lengthen a stranger's lease
-- COST  O(leases), at most 2 commands each
local count = 0
for i = 1, #KEYS do
  local lease = redis.call('GET', KEYS[i])
  if lease and string.sub(lease, 1, 22) == ARGV[1] then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
    count = count + 1
  end
end
return {'renewed', count}
