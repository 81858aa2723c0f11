#!lua flags=allow-oom
-- seats/release: give a hold's seats back before its time is over.
-- KEYS  event  hash, what is counted and agreed, each hold, each customer
--       map    string, one byte a seat
--       due    zset, hold by the moment it ends
--       log    stream, one entry a change
-- ARGV  hold     text, the hold's field
--       channel  text
-- REPLY {'released', record:text, layout:text} | {'expired', record:text, layout:text} | {'sold', record:text, layout:text}
--       | {'gone', why:text} | {'broken', where:text}
-- WHY   a repeat answers as the first call did; what is sold is not given back by this door
-- COST  O(seats), at most 64; up to 8 holds that are due end on the way
local call, format = redis.call, string.format
local clock = call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local event = call('HMGET', KEYS[1], 'version', 'layout', 'held', 'next', ARGV[1])
local version, held, channel = event[1], event[3], ARGV[2]
if not version then return {'gone', 'no-event'} end
if not event[5] then return {'gone', 'unknown'} end
-- PUT ending
local record = event[5]
local state, expires = read_hold(record)
if not state then return {'broken', ARGV[1]} end
if state == 's' then return {'sold', record, event[2]} end
if state == 'r' then return {'released', record, event[2]} end
if tonumber(event[4] or 0) <= now then end_due(8) end
if state == 'e' or expires <= now then return {'expired', record, event[2]} end

if not give_back(ARGV[1], record, 'released', 'r') then return {'broken', KEYS[2]} end
save()
return {'released', record, event[2]}
