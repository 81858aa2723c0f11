#!lua flags=no-writes
-- session/list: the references of a user's sessions, some of which may be over.
-- KEYS  user  hash, `epoch` and each session's reference: when it was entered and when it can only be over
-- REPLY {'sessions', nowMs:int, epoch:text, entries:list}
-- WHY   time of the server that wrote the entries
-- COST  O(references)
local clock = redis.call('TIME')
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
return {'sessions', clock[1] * 1000 + math.floor(clock[2] / 1000), epoch, redis.call('HGETALL', KEYS[1])}
