#!lua
-- log/append: add entries at the end, each once, however often this is called.
-- KEYS  entries  stream: n, its number; d and t, what it holds; k, its key; of what is for one group alone g, which, and o, its first id
--       state    hash: added, how many there have been; trimmed, the number of the last that is gone; and by group, see log/open
--       recent…  four hashes: what tokens appended, of this era and the last; the same for ids of callers
-- ARGV  token    text  the call's own
--       eraMs    int   a token is known for this long, at least
--       keepMs   int   the same for an id
--       channel  text  whom to wake
--       items…   text  by entry four: the caller's id or '', key, json, types
-- REPLY {'appended', ids…:text}
-- WHY   a call is repeated when its answer was lost, and a producer tries again after a crash: neither may append twice. Two hashes by
--       turns, each of which ends as a whole, forget without being searched.
-- COST  O(entries), two commands each, three with an id
local call, format = redis.call, string.format
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The hash of this era, that of the last, and when the first may end.
local function recent(first, length)
  local era = math.floor(now / length)
  return KEYS[first + era % 2], KEYS[first + (era + 1) % 2], format('%.0f', (era + 2) * length)
end

local tokens, before, ends = recent(3, tonumber(ARGV[2]))
local reply = {'appended'}
local known = call('HGET', tokens, ARGV[1]) or call('HGET', before, ARGV[1])
if known then
  for id in string.gmatch(known, '%S+') do reply[#reply + 1] = id end
  return reply
end
local ids, idsBefore, idsEnd = recent(5, tonumber(ARGV[3]))
local first = tonumber(call('HGET', KEYS[2], 'added') or '0')
local added, named = first, false
for i = 5, #ARGV, 4 do
  local id = ARGV[i]
  local stands = id ~= '' and (call('HGET', ids, id) or call('HGET', idsBefore, id))
  if not stands then
    added = added + 1
    stands = call('XADD', KEYS[1], '*', 'n', format('%.0f', added), 'd', ARGV[i + 2], 't', ARGV[i + 3], 'k', ARGV[i + 1])
    if id ~= '' then
      call('HSET', ids, id, stands)
      named = true
    end
  end
  reply[#reply + 1] = stands
end
call('HSET', KEYS[2], 'added', format('%.0f', added))
call('HSET', tokens, ARGV[1], table.concat(reply, ' ', 2))
call('PEXPIREAT', tokens, ends)
if named then call('PEXPIREAT', ids, idsEnd) end
if added > first then call('PUBLISH', ARGV[4], 'appended') end
return reply
