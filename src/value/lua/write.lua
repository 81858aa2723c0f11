#!lua
-- value/write: give the value another content if it is still the version that the caller saw, and log it.
-- KEYS  value  hash, the content, its version, and which writes led to it
--       log    stream, one entry for each update that logs
-- ARGV  token    text   12 letters, the caller's own: the next version
--       base     text   the version that was seen; '' none; '*' whatever it is
--       json     text
--       types    text
--       ttlMs    int    0: lasts; -1: keeps the life that it has
--       again    text   '1': an attempt with this token may have been carried out
--       keep     int    entries that the log keeps; 0: nothing is logged
--       entry    text   what is logged, as JSON
--       entryTypes  text
-- REPLY {'written'} | {'repeated'} | {'conflict', json:text, types:text, version:text} | {'doubtful'}
--       conflict: the content now, so that the caller need not look again; json is nil where there is no value
-- WHY   A token is random, so a value that went away and came back is another version. A repeat after a lost answer finds its token and
--       changes nothing; only where more than 31 others have written since can it not tell, and says so.
--       A deleted value keeps its hash for a while, without a content: a repeat must not bring it back.
-- COST  O(1), at most 7 commands; 4 for a value that lasts
--       The log lives as long as the value.
-- PUT history
local value = redis.call('HMGET', KEYS[1], 'json', 'types', 'version', 'history', 'at')
local version, history = value[3] or '', value[4] or ''
if is_done(history, ARGV[1]) then return {'repeated'} end
if ARGV[6] == '1' and is_doubtful(history, ARGV[2]) then return {'doubtful'} end
if ARGV[2] ~= '*' and ARGV[2] ~= version then return {'conflict', value[1], value[2] or '', version} end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], 'json', ARGV[3], 'types', ARGV[4], 'version', ARGV[1], 'history',
  add(history, ARGV[1], now - tonumber(value[5] or now)), 'at', string.format('%.0f', now))
if ARGV[7] ~= '0' then
  redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[7], '*', 'json', ARGV[8], 'types', ARGV[9], 'version', ARGV[1])
end
local ttl = tonumber(ARGV[5])
if ttl > 0 then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
elseif version ~= '' and (ttl == 0 or not value[1]) then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
elseif ARGV[7] ~= '0' then
  local left = redis.call('PTTL', KEYS[1])
  if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end
end
return {'written'}
