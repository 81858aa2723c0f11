#!lua flags=allow-oom
-- stream/pause: give out no more jobs, or again.
-- KEYS  state  hash, layout and more
--       idle   zset, processes that want to be told
--       wake   list, a token for a process that blocks until it is told
-- ARGV  paused   int, 1 or 0
--       channel  text, what the channels of processes begin with
-- REPLY {'paused'} | {'resumed'}
-- WHY   of the whole fleet: who runs a job ends it, nobody begins another
-- COST  two commands; at most 100 processes are told
local call = redis.call
if ARGV[1] == '1' then
  call('HSET', KEYS[1], 'paused', '1')
  return {'paused'}
end
call('HDEL', KEYS[1], 'paused')
local waiting = call('ZPOPMIN', KEYS[2], 100)
for i = 1, #waiting, 2 do
  if string.byte(waiting[i]) == 60 then
    call('RPUSH', KEYS[3], '1')
  else
    call('PUBLISH', ARGV[2] .. waiting[i], KEYS[1])
  end
end
return {'resumed'}
