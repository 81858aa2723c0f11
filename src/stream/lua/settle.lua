#!lua flags=allow-oom
-- stream/settle: end what a consumer has done, and no more: for one that takes no new jobs, or one by one.
-- KEYS  state       hash, layout and more
--       leases      zset, consumers by the end of their leases
--       delayed     zset, ids by when they are due
--       bodies      hash, their envelopes
--       dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
--       ids         hash, ids that users gave
--       idle        zset, processes that want to be told
--       wake        list, a token for a process that blocks until it is told
--       lanes…      streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout    text, the priorities of the lanes as the caller knows them
--       channel   text, what the channels of processes begin with
--       consumer  text
--       most      int, dead letters that are kept
--       group     int, jobs of one group that may run at the same time
--       settles…  text, as of turn
-- REPLY {'settled'} | {'layout', layout:text} | {'gone'}
-- WHY   a repeat finds its jobs ended and does nothing, so this may be sent again, which a turn may not
-- COST  two commands for a lot of done jobs, six for any other
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, idle, wake, channel, me = 9, KEYS[8], KEYS[9], ARGV[2], ARGV[3]
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
if tonumber(call('ZSCORE', KEYS[2], me) or -1) < 0 then return {'gone'} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
local most, group_most, ready, at = tonumber(ARGV[4]), tonumber(ARGV[5]), false, 6
-- PUT ring
-- PUT envelope
-- PUT place
-- PUT parent
-- PUT ending
-- PUT settle
-- PUT tally
tally(ended, failed)
if ready then ring() end
return {'settled'}
