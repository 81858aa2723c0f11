#!lua flags=allow-oom
-- log/excuse: a consumer lost its lease while its process was there to renew it, and nobody heard it: that is no death.
-- KEYS  entries    stream
--       state      hash; of it `blamed:` and the group: the last consumers whose deaths were counted
--       consumers  sorted set by the end of their leases
--       retry      sorted set of ids by when they are due again
--       marks      hash: f:id, how often it failed; c:id, how often its consumer died; b:key, which entry has it; k:id, which key it has
--       dead       stream
--       line       sorted set, by text: entries that wait for one before them of their key
-- ARGV  group     text
--       consumer  text
--       channel   text  whom to wake for what is handed back
--       held…     text  ids of what it had
-- REPLY {'excused', count:int}
-- WHY   only the process knows whether it was there. What is still its own is handed back; a death that was counted by then is taken back, once, for
--       the consumer is struck from the list: so a repeat does nothing. What was parked for it stays, and can be redriven
-- COST  O(held + 1000)
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local entries, state, consumers, retry, marks, dead, line = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local group, me, keep = ARGV[1], ARGV[2], 0
local function text(number) return string.format('%.0f', number) end
-- PUT parking
local own, count = redis.pcall('XPENDING', entries, group, '-', '+', 1000, me), 0
if own.err then return {'excused', 0} end
for _, one in ipairs(own) do
  put_back(one[1], now)
  count = count + 1
end
if #own < 1000 then
  call('XGROUP', 'DELCONSUMER', entries, group, me)
  call('ZREM', consumers, me)
end
local blamed = ' ' .. (call('HGET', state, 'blamed:' .. group) or '')
local at = string.find(blamed, ' ' .. me .. ' ', 1, true)
if at then
  local still = {}
  for _, one in ipairs(own) do still[one[1]] = true end
  call('HSET', state, 'blamed:' .. group, string.sub(blamed, 2, at) .. string.sub(blamed, at + #me + 2))
  for i = 4, #ARGV do
    if not still[ARGV[i]] and tonumber(call('HGET', marks, 'c:' .. ARGV[i]) or '0') > 0 then
      if call('HINCRBY', marks, 'c:' .. ARGV[i], -1) == 0 then call('HDEL', marks, 'c:' .. ARGV[i]) end
      count = count + 1
    end
  end
end
call('PUBLISH', ARGV[3], 'back')
return {'excused', count}
