#!lua flags=allow-oom
-- session/destroy: end the session that an id opens, for good.
-- KEYS  session  hash: `meta`, `user` and each field of its data
-- ARGV  id       text, hash of the id
--       idleMs   int
-- REPLY {'destroyed', user:text} | {'gone'}
-- WHY   nothing of the session is left that a late write could add to
-- COST  O(1); what it held is freed in the background
local call = redis.call
local meta = call('HGET', KEYS[1], 'meta')
-- PUT standing
if not opens then return {'gone'} end
local user = string.match(call('HGET', KEYS[1], 'user') or '', '^%d+\t[^\t]*\t(.*)$')
call('UNLINK', KEYS[1])
return {'destroyed', user or ''}
