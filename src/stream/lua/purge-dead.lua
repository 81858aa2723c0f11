#!lua flags=allow-oom
-- stream/purge-dead: forget dead letters.
-- KEYS  dead        zset, ids by when they died
--       deadBodies  hash, reasons, errors, envelopes
-- ARGV  ids…  text, which
-- REPLY {'purged', count:int}
-- WHY   what nobody will run again gives its memory back, also on a full server
-- COST  two commands, at most 500 ids
local count = redis.call('ZREM', KEYS[1], unpack(ARGV))
redis.call('HDEL', KEYS[2], unpack(ARGV))
return {'purged', count}
