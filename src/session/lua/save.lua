#!lua
-- session/save: merge fields into the data of a session that stands.
-- KEYS  session  hash: `meta`, `user` and each field of its data
-- ARGV  id       text, hash of the id
--       idleMs   int
--       dueMs    int, how much of the idle life must have passed before it is begun anew
--       most     int, bytes that the data may have
--       count    int, how many names with values
--       patch…   bytes, names and values in turns, then the names to remove
-- REPLY {'session', expiresAtMs:int, touched:int, lines:text} | {'too-large', size:int} | {'gone'}
-- WHY   nothing is written unless the session stands: a write that comes after a logout must not bring it back. Each field on its own, so
--       that parallel requests do not undo each other's. The same text as session/remove-fields, which a full server takes too.
-- COST  O(fields)
local call = redis.call
-- PUT fields
-- PUT standing
if not opens then return {'gone'} end
-- PUT patching
local size
fields, size = patch(ARGV[4], tonumber(ARGV[5]), 6)
if not fields then return {'too-large', size} end
-- PUT touching
return {'session', ends, touched, table.concat(fields, '\n')}
