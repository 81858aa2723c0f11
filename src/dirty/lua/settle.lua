#!lua flags=allow-oom
-- dirty/settle: say what came of persisting.
-- KEYS  dirty     sorted set of ids by when they turned dirty
--       due       sorted set of ids by when they are to be persisted
--       writes    hash by id
--       tries     hash by id
--       dead      hash by id: when it was given up, in ms, its tries and the error, as one line; then the record
--       lease     string, who persists now
--       entries…  by entry two: what readers see, string; what keeps loads from being stored, sorted set
-- ARGV  token      text
--       giveUpMs   int    what failed by itself is dead when it was written so long ago
--       settled…   bytes  by entry five: id, version, 'clean' | 'failed' | 'waits' | 'dead', ms, what
-- REPLY {'settled'} | {'lost'}
--       clean: what readers see from now on, for so many ms; '' nothing. failed, waits: tried again after so many ms, and that
--       counts, or only marks it as one that has failed; what: the error, where it failed by itself. dead: the error
-- WHY   Only the very version that was persisted is clean; a later one stays dirty and is next. What readers see is renewed only where
--       nobody has removed it meanwhile: who did may know of something newer.
--       A deletion that is persisted, and a write that is given up, leave nothing behind: readers ask the system of record again.
-- COST  O(entries), at most 10 commands each
local call = redis.call
if call('GET', KEYS[6]) ~= ARGV[1] then return {'lost'} end
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local key = 7
for i = 3, #ARGV, 5 do
  local id, version, word, ms, what = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local value, fence = KEYS[key], KEYS[key + 1]
  key = key + 2
  local record = call('HGET', KEYS[3], id)
  if record and string.sub(record, 1, 16) ~= version then
    call('ZADD', KEYS[1], string.format('%.0f', math.floor(string.sub(record, 1, 16) / 1000)), id)
    call('ZADD', KEYS[2], now, id)
    record = nil
  end
  if record and word ~= 'clean' and what ~= '' and now - math.floor(string.sub(record, 1, 16) / 1000) >= tonumber(ARGV[2]) then
    word = 'dead'
  end
  if record and (word == 'failed' or word == 'waits') then
    if word == 'failed' or not call('HGET', KEYS[4], id) then call('HINCRBY', KEYS[4], id, 1) end
    call('ZADD', KEYS[2], now + ms, id)
  elseif record then
    if word == 'dead' then
      local tried = (call('HGET', KEYS[4], id) or '0') + 1
      call('HSET', KEYS[5], id, string.format('%.0f %d ', now, tried) .. what .. '\n' .. record)
    end
    call('HDEL', KEYS[3], id)
    call('HDEL', KEYS[4], id)
    call('ZREM', KEYS[1], id)
    call('ZREM', KEYS[2], id)
    call('ZREM', fence, 'unpersisted')
    if word == 'clean' and what ~= '' then
      call('SET', value, what, 'XX', 'PX', ms)
    else
      call('UNLINK', value)
    end
  end
end
return {'settled'}
