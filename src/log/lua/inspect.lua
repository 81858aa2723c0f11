#!lua flags=no-writes
-- log/inspect: how it stands with one group, all at one moment.
-- KEYS  entries    stream
--       state      hash
--       consumers  sorted set by the end of their leases
--       retry      sorted set of ids by when they are due again
--       dead       stream
--       line       sorted set of what waits for one before it of its key
-- ARGV  group  text
-- REPLY {'seen', nowMs:int, added:int, read:int, dropped:int, pending:int, retrying:int, dead:int, consumers:int, line:int, oldest:text} | {'unknown'}
--       oldest: the id of the first entry that it has not acknowledged, or ''
-- WHY   several commands would show several moments. How far it is behind is counted by the numbers of entries: the server's own count is
--       lost by any removal in the middle.
-- COST  O(groups), 9 commands
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local group = ARGV[1]
local pending = redis.pcall('XPENDING', KEYS[1], group)
if pending.err then return {'unknown'} end
local facts = call('HMGET', KEYS[2], 'added', 'trimmed', 'read:' .. group, 'dropped:' .. group)
local added, read = tonumber(facts[1] or '0'), math.max(tonumber(facts[2] or '0'), tonumber(facts[3] or '0'))
local oldest = pending[2] or ''
if oldest == '' and read < added then
  for _, info in ipairs(call('XINFO', 'GROUPS', KEYS[1])) do
    local fact = {}
    for i = 1, #info, 2 do fact[info[i]] = info[i + 1] end
    if fact.name == group then
      local first = call('XRANGE', KEYS[1], '(' .. fact['last-delivered-id'], '+', 'COUNT', 1)[1]
      oldest = first and first[1] or ''
    end
  end
end
return {
  'seen', now, added, read, tonumber(facts[4] or '0'), pending[1], call('ZCARD', KEYS[4]), call('XLEN', KEYS[5]),
  call('ZCOUNT', KEYS[3], now, '+inf'), call('ZCARD', KEYS[6]), oldest,
}
