#!lua flags=allow-oom
-- queue/gather: what became of the children of a parent that was given out; back to wait for them where there are some left.
-- KEYS  state       hash, layout and more
--       leases      zset, consumers by the end of their leases
--       delayed     zset, ids by when they are due
--       bodies      hash, their envelopes
--       dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
--       idle        zset, processes that want to be told
--       wake        list, a token for a process that blocks until it is told
--       ids         hash, ids that users gave
--       family      hash, what children came to, by their place
--       lane        stream that the parent was given out of
--       lanes…      streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout    text, the priorities of the lanes as the caller knows them
--       channel   text, what the channels of processes begin with
--       consumer  text
--       entry     text
--       id        text
--       used      int, attempts that were made before
--       group     text, the job's own, or ''
--       most      int, jobs of one group that may run at the same time
--       children  int
--       onDead    text: fail, ignore, wait
--       keepMs    int, how long their results are kept from now on
-- REPLY {'ready', rows…:bytes} | {'dead', child:text, body:bytes} | {'waits'} | {'absent'} | {'gone'} | {'layout', layout:text}
-- WHY   it looks and goes back in one step: a child that ends in between would find nobody waiting, and call nobody. Rows are in the order of the
--       children, '' where nothing is known
-- COST  twelve commands, two a child that has not ended
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, idle, wake, channel, group_most = 11, KEYS[7], KEYS[8], ARGV[2], tonumber(ARGV[8])
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
if tonumber(call('ZSCORE', KEYS[2], ARGV[3]) or -1) < 0 then return {'gone'} end
if #call('XPENDING', KEYS[11], 'g', ARGV[4], ARGV[4], 1) == 0 then return {'absent'} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
-- PUT ring
-- PUT envelope
-- PUT place
-- PUT parent
local places = {}
for i = 1, tonumber(ARGV[9]) do places[i] = tostring(i) end
local ended, left = call('HMGET', KEYS[10], unpack(places)), 0
for i = 1, #places do
  if not ended[i] then
    local child = ARGV[5] .. '@0@' .. i
    local body = ARGV[10] ~= 'wait' and call('ZSCORE', KEYS[5], child) and call('HGET', KEYS[6], child)
    -- An earlier one of its id; or it was redriven, and is looked at when that has ended.
    if body and call('HEXISTS', KEYS[9], child) == 1 then body = nil end
    if body and ARGV[10] == 'fail' then
      call('PEXPIRE', KEYS[10], ARGV[11])
      return {'dead', child, body}
    elseif body then
      ended[i] = 'x' .. sub(body, 2, 1 + byte(body, 1))
      call('HSET', KEYS[10], i, ended[i])
    else
      left = left + 1
    end
  end
end
if left == 0 then
  call('PEXPIRE', KEYS[10], ARGV[11])
  local reply = {'ready'}
  for i = 1, #places do reply[i + 1] = ended[i] end
  return reply
end
local envelope = call('XRANGE', KEYS[11], ARGV[4], ARGV[4])[1][2][2]
call('XACK', KEYS[11], 'g', ARGV[4])
call('XDEL', KEYS[11], ARGV[4])
call('HSET', KEYS[4], ARGV[5], stamp(envelope, tonumber(ARGV[6]), ARGV[4]))
call('ZADD', KEYS[3], format('%.0f', AWAITED), ARGV[5])
call('PERSIST', KEYS[10])
if ARGV[7] ~= '' then
  if call('HINCRBY', running, ARGV[7], -1) <= 0 then call('HDEL', running, ARGV[7]) end
  join_round(ARGV[7])
  ring()
end
return {'waits'}
