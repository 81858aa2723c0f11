#!lua flags=no-writes
-- limit/peek: what a cost would be answered now.
-- KEYS  state   hash
--       more…   lists and zsets of the rules that have one
-- ARGV  cost    int
--       rules…  text   as for consume
-- REPLY {'allowed', figures:bytes} | {'refused', figures:bytes} | {'blocked', figures:bytes}
-- WHY   the same reading as that of consume, and figures as they are before it
-- COST  2 commands; rules of kind l and c 1 to 3 more each
local before = 1
-- PUT clock
-- PUT ask
if blocked > now then return {'blocked', struct.pack('<dd', now, blocked)} end
for i = 1, count do
  -- PUT load
  -- PUT rule
  -- PUT kept
  x[i], y[i], z[i], anew[i] = a, b, c, fresh
end
-- PUT answer
if fits then return {'allowed', figures} end
return {'refused', figures}
