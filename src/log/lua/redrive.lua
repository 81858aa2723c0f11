#!lua
-- log/redrive: have some dead entries delivered again, to the group that they died in and to no other.
-- KEYS  entries  stream
--       state    hash
--       dead     stream
-- ARGV  group    text
--       channel  text  whom to wake
--       ids…     text  of the stream of dead ones
-- REPLY {'redriven', count:int}
-- WHY   what they hold is appended anew for that group alone, as the log itself may have been trimmed since. One that is dead no more is
--       passed over: so a repeat does nothing.
-- COST  O(ids), three commands each
local call = redis.call
local added = tonumber(call('HGET', KEYS[2], 'added') or '0')
local count = 0
for i = 3, #ARGV do
  local entry = call('XRANGE', KEYS[3], ARGV[i], ARGV[i])[1]
  if entry then
    local f = entry[2]
    added, count = added + 1, count + 1
    call('XADD', KEYS[1], '*', 'n', string.format('%.0f', added), 'd', f[4], 't', f[6], 'k', f[8], 'g', ARGV[1], 'o', f[2])
    call('XDEL', KEYS[3], ARGV[i])
  end
end
call('HSET', KEYS[2], 'added', string.format('%.0f', added))
if count > 0 then call('PUBLISH', ARGV[2], 'redriven') end
return {'redriven', count}
