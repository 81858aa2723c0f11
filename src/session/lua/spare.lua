#!lua flags=allow-oom
-- session/spare: let one session of a user live on when all others of his are ended.
-- KEYS  session  hash: `meta`, `user` and each field of its data
-- ARGV  user     text
--       epoch    text, the user's new one
-- REPLY {'spared'} | {'gone'}
-- WHY   writes only where the session stands and is his
-- COST  O(1)
local epoch, label, user = string.match(redis.call('HGET', KEYS[1], 'user') or '', '^(%d+)\t([^\t]*)\t(.*)$')
if user ~= ARGV[1] then return {'gone'} end
if tonumber(epoch) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'user', ARGV[2] .. '\t' .. label .. '\t' .. user)
end
return {'spared'}
