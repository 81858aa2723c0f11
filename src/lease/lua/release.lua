#!lua flags=allow-oom
-- lease/release: end leases of one token, and tell those who wait.
-- KEYS  leases…  string, the holder's token, 22 letters, and what its room adds to it
-- ARGV  token    text
--       channel  text   where waiting processes listen, or '' when none can wait
-- REPLY {'released', count:int}
-- WHY   deleting by name alone would end the lease of whoever holds it now
-- COST  O(leases), at most 3 commands each
local count = 0
for i = 1, #KEYS do
  local lease = redis.call('GET', KEYS[i])
  if lease and string.sub(lease, 1, 22) == ARGV[1] then
    redis.call('DEL', KEYS[i])
    count = count + 1
    if ARGV[2] ~= '' then
      redis.call('PUBLISH', ARGV[2], KEYS[i])
    end
  end
end
return {'released', count}
