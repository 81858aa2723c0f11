#!lua flags=allow-oom
-- session/revoke: end a user's session without its id.
-- KEYS  session  hash: `meta`, `user` and each field of its data
-- ARGV  user     text
--       epoch    text, end it only if it is of an epoch before this one; '' for any
-- REPLY {'revoked'} | {'newer'} | {'gone'}
-- WHY   the user is compared, so that a reference found elsewhere ends no session of anybody else
-- COST  O(1); what it held is freed in the background
local epoch, user = string.match(redis.call('HGET', KEYS[1], 'user') or '', '^(%d+)\t[^\t]*\t(.*)$')
if user ~= ARGV[1] then return {'gone'} end
if ARGV[2] ~= '' and tonumber(epoch) >= tonumber(ARGV[2]) then return {'newer'} end
redis.call('UNLINK', KEYS[1])
return {'revoked'}
