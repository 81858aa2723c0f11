#!lua flags=allow-oom
-- lock/release-gate: let go of permits, or of one's place in the line for them.
-- KEYS  gate  hash, who is in and who waits
-- ARGV  token     text, whose
--       channel   text, what the channels of processes begin with
--       capacity  int, of the gate
-- REPLY {'released'} | {'left'} | {'gone'}
-- WHY   those who fit now are in when this call ends; also when somebody leaves the line, for he may have held up those behind him
-- COST  six commands and four for each that is let in, at most 64; O(holders) when a lease may have ended
local call, sub, format = redis.call, string.sub, string.format
local token, capacity = ARGV[1], tonumber(ARGV[3])
-- PUT gate
local own = call('HMGET', KEYS[1], 'h' .. token, 'p' .. token)
if not own[1] and not own[2] then return {'gone'} end
read_gate()
if own[1] then
  used = math.max(0, used - permits_of(own[1]))
  call('HDEL', KEYS[1], 'h' .. token)
end
if own[2] then call('HDEL', KEYS[1], 'w' .. own[2], 'p' .. token) end
end_due()
let_in()
save(ARGV[2])
if not own[1] then return {'left'} end
return {'released'}
