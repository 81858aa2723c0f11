#!lua
-- queue/advance: add the job of a slot that has come, and go on to the next slot.
-- KEYS  state      hash, layout and more
--       schedules  hash, records and last slots by schedule
--       slots      zset, schedules by their next slot
--       bodies     hash, envelopes of all that wait in no lane
--       ids        hash, ids that users gave
--       idle       zset, processes that want to be told
--       wake       list, a token for a process that blocks until it is told
--       delayed    zset, ids by when they are due
--       lanes…     streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout   text, the priorities of the lanes as the caller knows them
--       channel  text, what the channels of processes begin with
--       id       text
--       record   text, as the caller has seen it
--       slot     text, the slot that has come, as the caller has seen it
--       next     text, the one to go on to, ms or inf
--       group    int, jobs of one group that may run at the same time
--       length   int, jobs that there may be; 0: any number
--       jobs…    text, by three: slot, id, envelope
-- REPLY {'advanced', added:int} | {'moved'} | {'early', waitMs:int} | {'full', room:int} | {'layout', layout:text}
-- WHY   compare and advance: of any number of processes that see a slot come, one adds its job; and who dies before or after has done
--       nothing or all. The server's clock decides, whatever the caller's says. At a full server, or where there is no room for all of its
--       jobs, nothing is done, and the slot stays
-- COST  eight commands and three a job
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, idle, wake, channel, group_most = 8, KEYS[6], KEYS[7], ARGV[2], tonumber(ARGV[7])
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local slot = call('ZSCORE', KEYS[3], ARGV[3])
if not slot or slot ~= ARGV[5] or call('HGET', KEYS[2], 'r:' .. ARGV[3]) ~= ARGV[4] then return {'moved'} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
if slot - now > 0 then return {'early', math.ceil(slot - now)} end
-- PUT ring
-- PUT envelope
-- PUT place
-- PUT length
local room = room_of(tonumber(ARGV[8]), KEYS[8])
if room < (#ARGV - 8) / 3 then return {'full', math.max(0, room)} end
local added = 0
for i = 9, #ARGV, 3 do
  -- Of a server that went back to an older state, the job may be there.
  if call('HSETNX', KEYS[5], ARGV[i + 1], '1') == 1 then
    place(ARGV[i + 2])
    added = added + 1
  end
  call('HSET', KEYS[2], 'l:' .. ARGV[3], ARGV[i])
end
call('ZADD', KEYS[3], ARGV[6], ARGV[3])
if added > 0 then ring() end
return {'advanced', added}
