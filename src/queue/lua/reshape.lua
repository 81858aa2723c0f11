#!lua
-- queue/reshape: write another shape into the layout of a shard that has no jobs.
-- KEYS  state    hash, layout and more
--       delayed  zset, ids by when they are due
--       dead     zset, ids by when they died
--       slots    zset, schedules by their next slot
--       lanes…   streams, in the order of the layout, and what may follow; see parts/place of streams
-- ARGV  layout  text, the priorities of the lanes as the caller knows them
--       shape   text, the new one
--       places  int, 1: ids find their shard in another way after it, so there may be no schedule and no dead letter either
-- REPLY {'reshaped', layout:text} | {'busy', jobs:int, schedules:int, dead:int} | {'layout', layout:text}
-- WHY   what was put in by one shape is not found, or not in its order, by another: looked at and changed in one step
-- COST  a command a lane, and four
local call = redis.call
local LANES = 4
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local jobs, last = call('ZCARD', KEYS[2]), #KEYS
if string.sub(layout, 1, 7) == '1000000' then
  last = last - 5
  jobs = jobs + call('ZCARD', KEYS[last + 1]) + call('ZCARD', KEYS[last + 2])
end
for i = LANES + 1, last do jobs = jobs + call('XLEN', KEYS[i]) end
local dead, schedules = 0, 0
if ARGV[3] == '1' then dead, schedules = call('ZCARD', KEYS[3]), call('ZCARD', KEYS[4]) end
if jobs + dead + schedules > 0 then return {'busy', jobs, schedules, dead} end
local parts = {}
for part in string.gmatch(layout, '[^,]+') do
  if not string.find(part, ':', 1, true) then parts[#parts + 1] = part end
end
parts[#parts + 1] = ARGV[2]
layout = table.concat(parts, ',')
call('HSET', KEYS[1], 'layout', layout)
return {'reshaped', layout}
