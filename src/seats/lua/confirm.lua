#!lua flags=allow-oom
-- seats/confirm: sell what a hold holds, if the hold still stands.
-- KEYS  event  hash, what is counted and agreed, each hold, each customer
--       map    string, one byte a seat
--       due    zset, hold by the moment it ends
--       log    stream, one entry a change
-- ARGV  hold     text, the hold's field
--       payment  text, kept with the sale
--       channel  text
--       again    int, 1: a repeat, which changes nothing, writes all the same
-- REPLY {'confirmed', record:text, layout:text} | {'expired', record:text, layout:text} | {'gone', why:text} | {'paused'} | {'broken', where:text}
-- WHY   the server's time decides, never whether somebody has swept: a payment that comes after the end is told so while
--       nobody else can have the seats yet. What was sold once answers so again, with the payment that bought it; and writes
--       the version as it is where `again`, since a server asked to wait for its replicas waits for what it was told to write.
-- COST  O(seats), at most 64: 10 µs for 2 to 4; up to 8 holds that are due end on the way
local call, format, gmatch, rep = redis.call, string.format, string.gmatch, string.rep
local clock = call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local event = call('HMGET', KEYS[1], 'version', 'state', 'layout', 'held', 'sold', 'next', ARGV[1])
local version, held, channel = event[1], event[4], ARGV[3]
if not version then return {'gone', 'no-event'} end
if not event[7] then return {'gone', 'unknown'} end
local record = event[7]
local state = string.sub(record, 1, 1)
if state == 's' then
  if ARGV[4] == '1' then call('HSET', KEYS[1], 'version', version) end
  return {'confirmed', record, event[3]}
end
if state == 'r' then return {'gone', 'released'} end
local expires, seats, cells = string.match(record, '^%l%d+|(%d+)|(%d+)|([%d,-]+)|')
if not expires then return {'broken', ARGV[1]} end
if tonumber(event[6] or 0) <= now then
  -- PUT ending
  end_due(8)
end
if state == 'e' or tonumber(expires) <= now then return {'expired', record, event[3]} end
if event[2] ~= 'open' then return {'paused'} end

for first, last in gmatch(cells, '(%d+)-(%d+)') do
  if last - first > 63 or call('GETRANGE', KEYS[2], first, last) ~= rep('h', last - first + 1) then
    return {'broken', KEYS[2]}
  end
end
local number, at = format('%d', version + 1), format('%d', now)
if not call('XADD', KEYS[4], 'NOMKSTREAM', number .. '-0', 'kind', 'confirmed', 'hold', ARGV[1], 'cells', cells, 'at', at, 'by', ARGV[2]) then
  return {'broken', KEYS[4]}
end
for first, last in gmatch(cells, '(%d+)-(%d+)') do
  call('SETRANGE', KEYS[2], first, rep('s', last - first + 1))
end
call('ZREM', KEYS[3], ARGV[1])
record = 's' .. at .. string.sub(record, 15) .. ARGV[2]
call('HSET', KEYS[1], 'version', number, 'held', format('%d', held - seats), 'sold', format('%d', event[5] + seats), ARGV[1], record)
call('PUBLISH', channel, number)
return {'confirmed', record, event[3]}
