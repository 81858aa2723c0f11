#!lua flags=allow-oom
-- session/spare: let one session of a user live on when all others of his are ended.
-- KEYS  session  hash, what is known of the session and each field of its data
-- ARGV  user     text
--       epoch    text, the user's new one
-- REPLY {'spared'} | {'gone'}
-- WHY   writes only where the session stands and is his
-- COST  O(1)
local known = redis.call('HMGET', KEYS[1], 'user', 'epoch')
if known[1] ~= ARGV[1] then return {'gone'} end
if tonumber(known[2] or 0) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'epoch', ARGV[2]) end
return {'spared'}
