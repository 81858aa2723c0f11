#!lua
-- breaker/set: open or close, whatever was counted.
-- KEYS  circuit  hash
-- ARGV  openMs   int  for how long; 0 closes
--       keepMs   int
-- REPLY {'closed', era:int} | {'open', era:int, leftMs:int} | {'trying', era:int, leftMs:int} | {'due', era:int}
-- WHY   A new era, so that calls and trials under way decide nothing.
-- COST  O(1): 5 commands
-- PUT circuit
-- PUT change
local openMs = tonumber(ARGV[1])
change(openMs > 0 and now + openMs or 0, ARGV[2])
return answer()
