#!lua
-- queue/tell: what became of jobs, for whoever follows the queue's events.
-- KEYS  events  stream, one entry an event, `e`
-- ARGV  most     int, how many are kept, about
--       channel  text, where those who follow are told
--       events…  bytes
-- REPLY {'told'}
-- WHY   told once the ends count, by who ended them: no end waits for it, and it is no part of one
-- COST  a command an event, and one
local call, MAXLEN = redis.call, 'MAXLEN'
for i = 3, #ARGV do call('XADD', KEYS[1], MAXLEN, '~', ARGV[1], '*', 'e', ARGV[i]) end
call('PUBLISH', ARGV[2], 'events')
return {'told'}
