#!lua flags=allow-oom
-- stream/extend: say that consumers are alive.
-- KEYS  leases  zset, consumers by the end of their leases
-- ARGV  lease       int, ms from now
--       consumers…  text
-- REPLY {'extended', gone…:text}
-- WHY   one lease a process, however many jobs it runs. Whose jobs are being given to others has no lease any more
-- COST  two commands a consumer
local call = redis.call
local clock = call('TIME')
local ends = math.floor(clock[1] * 1000 + clock[2] / 1000) + tonumber(ARGV[1])
local reply = {'extended'}
for i = 2, #ARGV do
  local score = call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) >= 0 then
    call('ZADD', KEYS[1], ends, ARGV[i])
    call('ZADD', KEYS[1], 'XX', ends, ARGV[i] .. '!')
  else
    reply[#reply + 1] = ARGV[i]
  end
end
return reply
