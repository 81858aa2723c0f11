#!lua
-- queue/put-schedule: make a schedule, or change the one that stands.
-- KEYS  schedules  hash, records and last slots by schedule
--       slots      zset, schedules by their next slot
-- ARGV  id       text
--       known    text, the record that the caller has seen; '' for none
--       slot     text, the next slot that the caller has seen; '' for none
--       record   text, the new one
--       next     text, the new next slot, ms or inf
--       channel  text, where those who add the jobs are told
-- REPLY {'put'} | {'moved'}
-- WHY   the next slot is computed from what was seen: if that has changed since, a slot could be lost or come twice
-- COST  five commands
local call = redis.call
local record, slot = call('HGET', KEYS[1], 'r:' .. ARGV[1]) or '', call('ZSCORE', KEYS[2], ARGV[1]) or ''
if record ~= ARGV[2] or slot ~= ARGV[3] then return {'moved'} end
call('HSET', KEYS[1], 'r:' .. ARGV[1], ARGV[4])
call('ZADD', KEYS[2], ARGV[5], ARGV[1])
call('PUBLISH', ARGV[6], 'schedules')
return {'put'}
