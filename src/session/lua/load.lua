#!lua flags=allow-oom
-- session/load: the session that an id opens; begins its idle life anew when enough of it has passed.
-- KEYS  session  hash: `meta`, `user` and each field of its data
-- ARGV  id       text, hash of the id
--       idleMs   int
--       dueMs    int, how much of the idle life must have passed before it is begun anew
-- REPLY {'session', expiresAtMs:int, touched:int, lines:text} | {'gone'}
-- WHY   read and touch in one step: a touch of its own would find a session that was ended in between. A full server refuses no load. Names and
--       values, which hold no line break, go as one text: that costs less than a word each, here and in the client.
-- COST  O(fields)
local call = redis.call
-- PUT fields
-- PUT standing
if not opens then return {'gone'} end
-- PUT touching
return {'session', ends, touched, table.concat(fields, '\n')}
