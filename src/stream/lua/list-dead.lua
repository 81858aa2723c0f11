#!lua flags=no-writes
-- stream/list-dead: some dead letters, the latest first.
-- KEYS  dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
-- ARGV  from   int, how many to pass over
--       count  int
-- REPLY {'dead', total:int, rows…:bytes}
-- WHY   by three: id, when it died, body
-- COST  log of their number and one command; the bytes of count
local call = redis.call
local rows = call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'REV', 'WITHSCORES')
local ids = {}
local reply = { 'dead', call('ZCARD', KEYS[1]) }
for i = 1, #rows, 2 do ids[#ids + 1] = rows[i] end
if #ids == 0 then return reply end
local bodies = call('HMGET', KEYS[2], unpack(ids))
for i = 1, #ids do
  if bodies[i] then
    reply[#reply + 1] = ids[i]
    reply[#reply + 1] = rows[2 * i]
    reply[#reply + 1] = bodies[i]
  end
end
return reply
