#!lua
-- stream/redrive: give dead letters another life, with all their attempts.
-- KEYS  state       hash, layout and more
--       dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
--       bodies      hash, envelopes of those that are in no lane
--       ids         hash, ids that users gave
--       idle        zset, processes that want to be told
--       wake        list, a token for a process that blocks until it is told
--       delayed     zset, ids by when they are due
--       lanes…      streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout   text, the priorities of the lanes as the caller knows them
--       channel  text, what the channels of processes begin with
--       group    int, jobs of one group that may run at the same time
--       length   int, jobs that there may be; 0: any number
--       ids…     text, which
-- REPLY {'redriven', exists:int, left…:text} | {'layout', layout:text}
-- WHY   those whose id a living job has are left where they are, and named; after them those for which there is no room. One that is not dead
--       any more is passed over: a repeat does nothing
-- COST  six commands each, at most 500
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, idle, wake, channel, group_most = 8, KEYS[6], KEYS[7], ARGV[2], tonumber(ARGV[3])
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
local ready = false
-- PUT ring
-- PUT envelope
-- PUT place
-- PUT length
local left = room_of(tonumber(ARGV[4]), KEYS[8])
local reply = {'redriven', 0}
local full = {}
for i = 5, #ARGV do
  local body = call('HGET', KEYS[3], ARGV[i])
  if body then
    local at = 2 + byte(body, 1)
    local envelope = sub(body, at + 7 + tonumber(sub(body, at, at + 6)))
    if left <= 0 then
      full[#full + 1] = ARGV[i]
    elseif is_named(envelope) and call('HSETNX', KEYS[5], ARGV[i], '1') == 0 then
      reply[2] = reply[2] + 1
      reply[#reply + 1] = ARGV[i]
    else
      left = left - 1
      place(sub(envelope, 1, 1) .. char(0) .. sub(envelope, 3))
      call('ZREM', KEYS[2], ARGV[i])
      call('HDEL', KEYS[3], ARGV[i])
      ready = true
    end
  end
end
for _, id in ipairs(full) do reply[#reply + 1] = id end
if ready then ring() end
return reply
