#!lua flags=no-writes
-- stream/list-dead: some dead letters, the latest first.
-- KEYS  dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
-- ARGV  from   int, how many to pass over
--       count  int
-- REPLY {'dead', next:int, rows…:bytes}
-- WHY   rows by three: id, when it died, body. `next`: how many to pass over next time; 0 where there are no more. Fewer than count where they are
--       large: a reply ends with the lot of 20 that makes it 4 MiB
-- COST  log of their number, and one command for each 20
local call = redis.call
local rows = call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'REV', 'WITHSCORES')
local reply = { 'dead', 0 }
local bytes, passed = 0, 0
while 2 * passed < #rows and bytes < 4194304 do
  local ids = {}
  for i = passed + 1, math.min(passed + 20, #rows / 2) do ids[#ids + 1] = rows[2 * i - 1] end
  local bodies = call('HMGET', KEYS[2], unpack(ids))
  for i = 1, #ids do
    if bodies[i] then
      reply[#reply + 1] = ids[i]
      reply[#reply + 1] = rows[2 * (passed + i)]
      reply[#reply + 1] = bodies[i]
      bytes = bytes + #bodies[i]
    end
  end
  passed = passed + #ids
end
if passed > 0 then reply[2] = ARGV[1] + passed end
return reply
