#!lua flags=allow-oom
-- lock/release-forced: take a lock away from whoever has it, and tell him.
-- KEYS  lock  string, who has it and who waits
-- ARGV  channel  text, what the channels of processes begin with
-- REPLY {'released', fence:text, owner:text} | {'free'}
-- WHY   an operator's last means: the old holder may still be at work, and only a resource that checks the fence is safe from him
-- COST  three commands; with a queue one read and one write of it, 75 bytes a waiter
local call, sub, find, format = redis.call, string.sub, string.find, string.format
local clock = call('TIME')
-- PUT line
local value = call('GET', KEYS[1])
local state, last, expires, queue = read_lock(value)
if expires <= now then return {'free'} end
local token, inbox, owner = sub(value, 18, 39), sub(value, 53, 74), string.match(value, '^[^\n]*', 75)
local granted, other, fence, lease = pass_on(last, queue, '')
if granted then tell(ARGV[1], granted, other, fence, lease) end
call('PUBLISH', ARGV[1] .. inbox, 'lost ' .. token)
return {'released', format('%.0f', last), owner}
