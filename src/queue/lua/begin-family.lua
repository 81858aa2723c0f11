#!lua
-- queue/begin-family: forget what the children of an earlier parent came to, before one is added anew under its id.
-- KEYS  ids        hash, ids that users gave
--       families…  hashes, what the children of each parent of the new family came to
-- ARGV  ids…  text, of the parent that is to be added, and of all below it
-- REPLY {'cleared'} | {'exists'} | {'busy'}
-- WHY   a parent that was cancelled or is dead leaves that behind, for a redrive: one of its id that is new must not take it for its own. `exists`: the
--       parent is there. `busy`: it is not, and a child of the earlier one is: what that comes to would be taken for the new one's. Refused by a full server as the add is
-- COST  two commands, at most 500 ids and keys
local call = redis.call
local known = call('HMGET', KEYS[1], unpack(ARGV))
if known[1] then return {'exists'} end
for i = 2, #ARGV do
  if known[i] then return {'busy'} end
end
call('DEL', unpack(KEYS, 2))
return {'cleared'}
