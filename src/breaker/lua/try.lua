#!lua
-- breaker/try: take the place of the one call that is tried.
-- KEYS  circuit  hash
-- ARGV  token    text  of the caller, new for each trial
--       tryMs    int   how long it has the place at most
--       keepMs   int
-- REPLY {'trial', era:int} | {'closed', era:int} | {'open', era:int, leftMs:int} | {'trying', era:int, leftMs:int} | {'due', era:int}
--       trial: it is the caller's; due is never the answer here
-- WHY   One step decides who tries, by the server's clock. The same token asked again has its place still, so that a lost answer costs
--       nothing.
-- COST  O(1): 4 commands
-- PUT circuit
if open > 0 and now >= open and (trial == '' or trial == ARGV[1] or now >= tried) then
  redis.call('HSET', KEYS[1], 'trial', ARGV[1], 'tried', string.format('%.0f', now + tonumber(ARGV[2])))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'trial', era}
end
return answer()
