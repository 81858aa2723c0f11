#!lua flags=allow-oom
-- lock/finish-once: keep the result of what ran once, or give the key free, and tell those who wait.
-- KEYS  once  hash, who runs it, who waits, then the result
-- ARGV  token    text, whose
--       state    text, d: done, e: failed and kept, x: failed, and the next may run it
--       json     text, the result
--       types    text, of it
--       ttlMs    int, how long it is kept
--       channel  text, what the channels of processes begin with
--       name     text, by which those who wait know it
-- REPLY {'finished'} | {'lost'}
-- WHY   a full server must not refuse it: what has run would run again. A repeat finds its own token and says so
-- COST  O(processes that wait)
local call, sub = redis.call, string.sub
local once = call('HMGET', KEYS[1], 's', 't')
if once[2] ~= ARGV[1] then return {'lost'} end
if once[1] ~= 'p' then return {'finished'} end
local waiting, fields = {}, call('HKEYS', KEYS[1])
for i = 1, #fields do
  if sub(fields[i], 1, 1) == 'w' then waiting[#waiting + 1] = fields[i] end
end
if ARGV[2] == 'x' then
  call('UNLINK', KEYS[1])
else
  for i = 1, #waiting do call('HDEL', KEYS[1], waiting[i]) end
  call('HSET', KEYS[1], 's', ARGV[2], 'j', ARGV[3], 'y', ARGV[4])
  call('PEXPIRE', KEYS[1], ARGV[5])
end
for i = 1, #waiting do call('PUBLISH', ARGV[6] .. sub(waiting[i], 2), 'once ' .. ARGV[7]) end
return {'finished'}
