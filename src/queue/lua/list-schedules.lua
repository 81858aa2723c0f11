#!lua flags=no-writes
-- queue/list-schedules: schedules and their next slots.
-- KEYS  schedules  hash, records and last slots by schedule
--       slots      zset, schedules by their next slot
-- ARGV  until  text, +inf: all; due: those whose slot has come
--       from   int, how many to pass over
--       count  int
--       ids…   text, these instead, where there are any
-- REPLY {'schedules', now:int, waitMs:int, rows…:text}
-- WHY   by four: id, record, slot, last slot or ''. Whether a slot has come is decided by the server's clock, which is told. `waitMs`: until
--       the first slot that has not come; -1 for none
-- COST  three commands, the bytes of count
local call = redis.call
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
local ids = {}
for i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end
if #ids == 0 then
  local last = ARGV[1] == 'due' and string.format('%.0f', now) or '+inf'
  ids = call('ZRANGEBYSCORE', KEYS[2], '-inf', last, 'LIMIT', ARGV[2], ARGV[3])
end
local coming = call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', now), '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
local reply = { 'schedules', now, coming and math.ceil(coming - now) or -1 }
for _, id in ipairs(ids) do
  local known = call('HMGET', KEYS[1], 'r:' .. id, 'l:' .. id)
  local slot = call('ZSCORE', KEYS[2], id)
  if known[1] and slot then
    reply[#reply + 1] = id
    reply[#reply + 1] = known[1]
    reply[#reply + 1] = slot
    reply[#reply + 1] = known[2] or ''
  end
end
return reply
