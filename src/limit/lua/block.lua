#!lua
-- limit/block: admit nobody under this id for a while.
-- KEYS  state  hash
-- ARGV  forUs  text   how long, in µs
-- REPLY {'blocked'}
-- WHY   the state is kept until both the block and what it counts have ended
-- COST  4 commands
-- PUT clock
-- PUT outlive
redis.call('HSET', KEYS[1], 'blocked', string.format('%.0f', now + tonumber(ARGV[1])))
outlive(KEYS[1], tonumber(ARGV[1]))
return {'blocked'}
