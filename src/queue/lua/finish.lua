#!lua flags=allow-oom
-- queue/finish: end one job as done, and with it all that is to be so from then on.
-- KEYS  state     hash, layout and more
--       leases    zset, consumers by the end of their leases
--       delayed   zset, ids by when they are due
--       bodies    hash, their envelopes
--       ids       hash, ids that users gave
--       idle      zset, processes that want to be told
--       tallies   hash, counts
--       progress  string, what its handler last said
--       result    string, what it came to
--       lane      stream that it was given out of
--       wake      list, a token for a process that blocks until it is told
--       kept      zset, ids that are refused although their jobs are done, by until when
--       family    hash, what its children came to, by their place
--       kin       hash, the same of its parent
--       lanes…    streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout    text, the priorities of the lanes as the caller knows them
--       channel   text, what the channels of processes begin with
--       consumer  text
--       entry     text
--       named     text, its id, if that is the user's; '' otherwise
--       keepIdMs  int, how long its id is refused from now on; 0: not at all
--       resultMs  int, how long its result is kept; 0: there is none
--       result    bytes
--       outcome   text, channel of those who wait for this job
--       group     text, the job's own, or ''
--       most      int, jobs of one group that may run at the same time
--       tallies   int, how many
--       parent    text, whose child it is; '' for none
--       place     text, which of the children
--       word      bytes, what it came to, for its parent
--       siblings  int, how many children there are
--       keepMs    int, how long what they came to is kept once all have ended
--       rest…     text, by two: name, by how much; then by three: ms from now, the user's id or '', envelope
-- REPLY {'finished'} | {'absent'} | {'gone'} | {'layout', layout:text}
-- WHY   one step: whoever dies before it has done nothing of this, and who runs the job again does it once. `absent`: it is ended already,
--       by this very call if it was sent twice
-- COST  ten commands, one a count, three a job that follows; eight for a child; five where the id is kept, and two for every hundred ids whose time is over
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, idle, wake, channel, group_most = 14, KEYS[6], KEYS[11], ARGV[2], tonumber(ARGV[11])
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
if tonumber(call('ZSCORE', KEYS[2], ARGV[3]) or -1) < 0 then return {'gone'} end
if call('XACK', KEYS[10], 'g', ARGV[4]) == 0 then return {'absent'} end
call('XDEL', KEYS[10], ARGV[4])
call('HDEL', KEYS[5], ARGV[5])
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
if ARGV[6] ~= '0' then
  -- Those whose time is over go first, so that there are never more than were done within it; and all when the longest is.
  local over = call('ZRANGEBYSCORE', KEYS[12], '-inf', now, 'LIMIT', 0, 100)
  if #over > 0 then call('ZREM', KEYS[12], unpack(over)) end
  call('ZADD', KEYS[12], format('%.0f', now + ARGV[6]), ARGV[5])
  if call('PTTL', KEYS[12]) < tonumber(ARGV[6]) then call('PEXPIRE', KEYS[12], ARGV[6]) end
end
-- PUT tally
tally(1, 0)
-- PUT ring
-- PUT envelope
-- PUT place
-- PUT parent
local at, ready = 18, false
if ARGV[10] ~= '' then
  if call('HINCRBY', running, ARGV[10], -1) <= 0 then call('HDEL', running, ARGV[10]) end
  join_round(ARGV[10])
  ready = true
end
for _ = 1, tonumber(ARGV[12]) do
  -- One that can grow no more stays as it is: the job is out of its lane by now, and what follows it must not be lost.
  redis.pcall('HINCRBY', KEYS[7], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = at, #ARGV, 3 do
  local wait, id, envelope = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  if id == '' or call('HSETNX', KEYS[5], id, '1') == 1 then
    if wait == 0 then
      place(envelope)
    else
      id = id_of(envelope)
      call('HSET', KEYS[4], id, envelope)
      call('ZADD', KEYS[3], format('%.0f', now + wait), id)
    end
    ready = true
  end
end
call('DEL', KEYS[8], KEYS[13])
if ARGV[13] ~= '' then
  call('HSET', KEYS[14], ARGV[14], ARGV[15])
  local due, all = call('ZSCORE', KEYS[3], ARGV[13]), call('HLEN', KEYS[14]) >= tonumber(ARGV[16])
  local is_awaited = due and tonumber(due) >= AWAITED
  -- As long as the parent waits nothing of it may go; one that looks by now, or is no more, needs it for a time only.
  if all or not is_awaited then call('PEXPIRE', KEYS[14], ARGV[17]) end
  if all and is_awaited then
    local envelope = call('HGET', KEYS[4], ARGV[13])
    call('ZREM', KEYS[3], ARGV[13])
    call('HDEL', KEYS[4], ARGV[13])
    place(envelope)
    ready = true
  end
end
if ARGV[7] ~= '0' then call('SET', KEYS[9], ARGV[8], 'PX', ARGV[7]) end
if ready then ring() end
call('PUBLISH', ARGV[9], 'ended')
return {'finished'}
