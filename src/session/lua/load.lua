#!lua flags=allow-oom
-- session/load: the session that an id opens; begins its idle life anew when enough of it has passed.
-- KEYS  session  hash, what is known of the session and each field of its data
-- ARGV  id       text, hash of the id
--       idleMs   int
--       dueMs    int, how much of the idle life must have passed before it is begun anew
-- REPLY {'session', expiresAtMs:int, touched:int, fields:list} | {'gone'}
-- WHY   read and touch in one step: a touch of its own would find a session that was ended in between. A full server refuses no load.
-- COST  O(fields)
local call = redis.call
-- PUT standing
if not opens then return {'gone'} end
-- PUT touching
return {'session', ends, touched, call('HGETALL', KEYS[1])}
