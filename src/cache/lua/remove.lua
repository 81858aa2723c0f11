#!lua flags=allow-oom
-- cache/remove: remove some entries, each together with its lease.
-- KEYS  pairs…   by entry: its value, string; its lease, string
-- REPLY {'removed', count:int}   how many values there were
-- WHY   a load that was granted its lease beside the value may renew that value: so both go in one step
-- COST  O(entries), 2 commands each
local count = 0
for i = 1, #KEYS, 2 do
  count = count + redis.call('UNLINK', KEYS[i])
  redis.call('UNLINK', KEYS[i + 1])
end
return {'removed', count}
