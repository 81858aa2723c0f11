#!lua
-- cache/touch-tags: the epochs of some tags, made where they are missing; or 'changed' when one moved since a load began.
-- KEYS  generation  string, server µs of the last invalidation of any tag, only grows, expires
--       tags…       string, epoch, expires
-- ARGV  since       text   the generation when the load began, or '' when it begins now
--       nonce       text   makes a new epoch unlike any before
--       lifeMs      int    an epoch must outlive every entry that carries it
-- REPLY {'touched', generation:text, epochs…:text} | {'changed'}
-- WHY   an entry is fresh while each of its tags still has the epoch it had when its load began; a missing epoch means stale,
--       so one that was evicted can never revive old entries. A load that begins finds a generation or makes one of the server's
--       time, so that one that is lost meanwhile (evicted, cleared) and made again is never the one it began with.
-- COST  O(tags), at most 3 commands each
local generation = redis.call('GET', KEYS[1])
if not generation then
  local now = redis.call('TIME')
  generation = string.format('%.0f', now[1] * 1000000 + now[2])
  redis.call('SET', KEYS[1], generation, 'PX', math.max(ARGV[3], 86400000))
end
local reply = {'touched', generation}
for i = 2, #KEYS do
  local epoch = redis.call('GET', KEYS[i])
  if epoch then
    if ARGV[1] ~= '' and tonumber(string.match(epoch, '^%d+')) > tonumber(ARGV[1]) then
      return {'changed'}
    end
    if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) / 2 then
      redis.call('PEXPIRE', KEYS[i], ARGV[3])
    end
  else
    if ARGV[1] ~= '' and ARGV[1] ~= generation then
      return {'changed'}
    end
    epoch = generation .. '.' .. ARGV[2]
    redis.call('SET', KEYS[i], epoch, 'PX', ARGV[3])
  end
  reply[i + 1] = epoch
end
return reply
