#!lua
-- session/create: begin a session under an id that was made for it.
-- KEYS  session     hash: `meta`, `user` and each field of its data
-- ARGV  id          text, hash of the id
--       idleMs      int
--       absoluteMs  int
--       user        text, the field `user`; '' for nobody's
--       fields…     bytes, name and value in turns
-- REPLY {'session', createdAtMs:int, expiresAtMs:int} | {'taken'}
-- WHY   a repeat meets its own hash and answers as the first did; another's session is never touched
-- COST  O(fields)
local call, format = redis.call, string.format
local meta = call('HGET', KEYS[1], 'meta')
if meta then
  if string.sub(meta, 1, 43) ~= ARGV[1] then return {'taken'} end
  local created, seen, last = string.match(meta, '^(%d%d%d%d%d%d%d%d%d%d%d%d%d)(%d%d%d%d%d%d%d%d%d%d%d%d%d)(%d%d%d%d%d%d%d%d%d%d%d%d%d)', 44)
  return {'session', tonumber(created), math.min(seen + ARGV[2], tonumber(last))}
end
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ends = now + math.min(ARGV[2], ARGV[3])
call('HSET', KEYS[1], 'meta', ARGV[1] .. format('%013d%013d%013d', now, now, now + ARGV[3]))
if ARGV[4] ~= '' then call('HSET', KEYS[1], 'user', ARGV[4]) end
if #ARGV > 4 then call('HSET', KEYS[1], unpack(ARGV, 5)) end
call('PEXPIREAT', KEYS[1], format('%d', ends))
return {'session', now, ends}
