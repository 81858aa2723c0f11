#!lua
-- session/create: begin a session under an id that was made for it.
-- KEYS  session     hash, what is known of the session and each field of its data
-- ARGV  id          text, hash of the id
--       idleMs      int
--       absoluteMs  int
--       user        text, '' for nobody
--       label       text
--       epoch       text, the user's, as it was when the session was entered among his
--       size        int, bytes of names and values
--       fields…     bytes, name and value in turns
-- REPLY {'session', createdAtMs:int, expiresAtMs:int} | {'taken'}
-- WHY   a repeat meets its own hash and answers as the first did; another's session is never touched
-- COST  O(fields)
local call, format = redis.call, string.format
local known = call('HMGET', KEYS[1], 'id', 'created', 'seen', 'last')
if known[1] then
  if known[1] ~= ARGV[1] then return {'taken'} end
  return {'session', tonumber(known[2]), math.min(known[3] + ARGV[2], tonumber(known[4]))}
end
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local at, ends = format('%d', now), now + math.min(ARGV[2], ARGV[3])
call('HSET', KEYS[1], 'id', ARGV[1], 'created', at, 'seen', at, 'last', format('%d', now + ARGV[3]), 'size', ARGV[7])
if ARGV[4] ~= '' then call('HSET', KEYS[1], 'user', ARGV[4], 'epoch', ARGV[6]) end
if ARGV[5] ~= '' then call('HSET', KEYS[1], 'label', ARGV[5]) end
if #ARGV > 7 then call('HSET', KEYS[1], unpack(ARGV, 8)) end
call('PEXPIREAT', KEYS[1], format('%d', ends))
return {'session', now, ends}
