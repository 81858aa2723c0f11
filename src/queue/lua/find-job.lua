#!lua flags=no-writes
-- queue/find-job: what is known of one job.
-- KEYS  state       hash, layout and more
--       delayed     zset, ids by when they are due
--       bodies      hash, envelopes of all that wait in no lane
--       ids         hash, ids that users gave
--       dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
--       progress    string, what its handler last said
--       result      string, what it came to
--       lanes…      streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout  text, the priorities of the lanes as the caller knows them
--       id      text
--       most    int, entries of lanes to look at; 0: none
--       lane    int, where to go on, from 1
--       from    text, after which entry; '' from the first
-- REPLY {'delayed', dueAtMs:int, progress:bytes, envelope:bytes} | {'waiting', entry:text, deliveries:int, progress:bytes, envelope:bytes} | {'active', entry:text, deliveries:int, progress:bytes, envelope:bytes} | {'done', result:bytes} | {'dead', diedAtMs:int, body:bytes} | {'more', lane:int, entry:text} | {'open', progress:bytes} | {'absent'} | {'layout', layout:text}
-- WHY   a lane knows its jobs by their entries alone: one that waits or runs is looked for. `open`: it exists, as its own
--       id says, and was not looked for
-- COST  eight commands; half a µs for each entry that is looked at, and its bytes
local call, sub, byte = redis.call, string.sub, string.byte
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local LANES, id, most, lane, from = 8, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
-- PUT seek
local progress = call('GET', KEYS[7]) or ''
local due = call('ZSCORE', KEYS[2], id)
local body = call('HGET', KEYS[3], id)
if due then return {'delayed', math.floor(due), progress, body or ''} end
-- By its exact rank, or in the line of its group.
if body then return {'waiting', '', 0, progress, body} end
if most > 0 then
  local found, entry, envelope = seek()
  if found then
    local pending = call('XPENDING', KEYS[LANES + found], 'g', entry, entry, 1)[1]
    local isActive = pending and pending[2] ~= '~' and pending[2] ~= '!'
    if isActive then return {'active', entry, pending[4], progress, envelope} end
    return {'waiting', entry, pending and pending[4] or 0, progress, envelope}
  end
  if entry then return {'more', entry, envelope} end
end
local result = call('GET', KEYS[8])
if result then return {'done', result} end
local died = call('ZSCORE', KEYS[5], id)
if died then return {'dead', math.floor(died), call('HGET', KEYS[6], id) or ''} end
if call('HGET', KEYS[4], id) then return {'open', progress} end
return {'absent'}
