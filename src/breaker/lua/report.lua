#!lua
-- breaker/report: count calls that have ended, open where a rule is broken, and tell how it stands.
-- KEYS  circuit  hash
-- ARGV  era         int   in which the calls were admitted; others are not counted
--       ok          int   calls that did not fail
--       failed      int   calls that failed, after those
--       slow        int   how many of all were slow
--       failures    int   rule: failed calls in a row; 0 none
--       failureRate text  rule: share of the window; 0 none
--       slowRate    text  rule: share of the window; 0 none
--       minCalls    int
--       windowMs    int
--       cooldownMs  int
--       keepMs      int   how long the hash is kept at least
-- REPLY {'closed', era:int} | {'open', era:int, leftMs:int} | {'trying', era:int, leftMs:int} | {'due', era:int}
--       trying: one call is tried for so long yet; due: the cooldown is over and nobody tries
-- WHY   The window is ten slices in fields of their own, each with the number of its time: what is old is seen by that, and nothing is
--       trimmed. Calls of another era say nothing of this one. Without calls it writes nothing.
-- COST  O(1): 2 commands to look, 5 to count
-- PUT circuit
-- PUT change
local ok, failed, slow = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if ok + failed == 0 or open > 0 or tonumber(ARGV[1]) ~= era then return answer() end
local failures, failureRate, slowRate = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local slice = math.floor(now / (tonumber(ARGV[9]) / 10))
local fields = redis.call('HMGET', KEYS[1], 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')
local calls, bad, late, own = ok + failed, failed, slow, { ok + failed, failed, slow }
for i = 1, 10 do
  if fields[i] then
    local at, c, f, s = string.match(fields[i], '^(%d+):(%d+):(%d+):(%d+)$')
    at = tonumber(at)
    if at and at > slice - 10 and at <= slice then
      calls, bad, late = calls + c, bad + f, late + s
      if at == slice then own = { own[1] + c, own[2] + f, own[3] + s } end
    end
  end
end
if ok > 0 then row = 0 end
row = row + failed
local broken = failures > 0 and row >= failures
if calls >= tonumber(ARGV[8]) then
  broken = broken or failureRate > 0 and bad / calls >= failureRate or slowRate > 0 and late / calls >= slowRate
end
if broken then
  change(now + tonumber(ARGV[10]), ARGV[11])
  return answer()
end
redis.call('HSET', KEYS[1], 'era', string.format('%.0f', era), 'row', row, 'w' .. slice % 10,
  string.format('%.0f:%.0f:%.0f:%.0f', slice, own[1], own[2], own[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[11])
return answer()
