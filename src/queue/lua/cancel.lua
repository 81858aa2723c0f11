#!lua flags=allow-oom
-- queue/cancel: take a job out of its lane, or tell the process that runs it.
-- KEYS  state     hash, layout and more
--       ids       hash, ids that users gave
--       progress  string, what its handler last said
--       delayed   zset, ids by when they are due
--       family    hash, what its children came to
--       kin       hash, what its parent's children came to
--       lanes…    streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout   text, the priorities of the lanes as the caller knows them
--       id       text
--       most     int, entries of lanes to look at
--       lane     int, where to go on, from 1
--       from     text, after which entry; '' from the first
--       notices  text, channel of those who run jobs
--       outcome  text, channel of those who wait for this one
-- REPLY {'removed'} | {'running', heard:int} | {'more', lane:int, entry:text} | {'absent'} | {'layout', layout:text}
-- WHY   one that is given out between two looks is found at its entry all the same: entries stay until they are ended. Who runs it is
--       told and not fenced: the end of an attempt is its own to tell
-- COST  eight commands; half a µs for each entry that is looked at, and its bytes
local call, sub, byte = redis.call, string.sub, string.byte
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local LANES, id, most, lane, from = 6, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
-- PUT seek
-- PUT parent
local found, entry, after = seek()
if not found then
  if entry then return {'more', entry, after} end
  return {'absent'}
end
local pending = call('XPENDING', KEYS[LANES + found], 'g', entry, entry, 1)[1]
if pending and pending[2] ~= '~' and pending[2] ~= '!' then
  return {'running', call('PUBLISH', ARGV[6], 'cancel ' .. id)}
end
call('XACK', KEYS[LANES + found], 'g', entry)
call('XDEL', KEYS[LANES + found], entry)
call('HDEL', KEYS[2], id)
call('DEL', KEYS[3], KEYS[5])
leave_parent(KEYS[4], KEYS[6], id)
call('PUBLISH', ARGV[7], 'ended')
return {'removed'}
