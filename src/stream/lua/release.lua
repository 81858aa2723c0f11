#!lua flags=allow-oom
-- stream/release: hand back all that a consumer has been given but for what it names, uncounted.
-- KEYS  state   hash, layout and more
--       leases  zset, consumers by the end of their leases
--       idle    zset, processes that want to be told
--       wake    list, a token for a process that blocks until it is told
--       lanes…  streams, in the order of the layout
-- ARGV  layout    text, the priorities of the lanes as the caller knows them
--       channel   text, what the channels of processes begin with
--       consumer  text
--       leaves    int, 1: it is done, and its lease with it
--       kept…     text, entries that it still works on
-- REPLY {'released', count:int} | {'more', count:int} | {'layout', layout:text} | {'gone'}
-- WHY   an answer that was lost may have given it jobs that it never heard of; and a process that ends gives back what it has not begun
-- COST  one command a job, at most 1,000
local call = redis.call
local LANES, DELCONSUMER, idle, wake, channel, me = 4, 'DELCONSUMER', KEYS[3], KEYS[4], ARGV[2], ARGV[3]
local lanes = #KEYS - LANES
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
if tonumber(call('ZSCORE', KEYS[2], me) or -1) < 0 then return {'gone'} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
-- PUT ring
local kept = {}
for i = 5, #ARGV do kept[ARGV[i]] = true end
local count, looked = 0, 0
for i = 1, lanes do
  for _, owner in ipairs({ me, me .. '!' }) do
    local pending = call('XPENDING', KEYS[LANES + i], 'g', '-', '+', 1000, owner)
    looked = math.max(looked, #pending)
    for _, one in ipairs(pending) do
      if not kept[one[1]] then
        local before = math.max(0, one[4] - 1)
        call('XCLAIM', KEYS[LANES + i], 'g', '~', 0, one[1], 'RETRYCOUNT', before, 'JUSTID')
        count = count + 1
      end
    end
  end
end
if count > 0 then call('ZADD', KEYS[2], 0, '~') end
if ARGV[4] == '1' and looked < 1000 then
  call('ZREM', KEYS[2], me, me .. '!')
  for i = 1, lanes do
    for _, owner in ipairs({ me, me .. '!' }) do
      if #call('XPENDING', KEYS[LANES + i], 'g', '-', '+', 1, owner) == 0 then
        call('XGROUP', DELCONSUMER, KEYS[LANES + i], 'g', owner)
      end
    end
  end
end
if count > 0 then ring() end
if looked == 1000 then return {'more', count} end
return {'released', count}
