-- What becomes of an entry that was not done, and of those behind it. Reads: call, entries, group, retry, marks, dead, line, keep, now, text.
-- Entries that wait for their next try belong to nobody: in the group's list of pending ones they stand under this name.
local NOBODY = 'retry'

-- Where an entry stands in the line of its key: by its number, after all of other keys of that length. `last`: after all of its own.
local function place_of(key, number)
  return string.format('%04d', #key) .. key .. '\0' .. (number and string.format('%016.0f', number) or '')
end

-- It is not in the way of its key any more: the next may be given.
local function pass_on(id)
  local key = call('HGET', marks, 'k:' .. id)
  if not key then return end
  call('HDEL', marks, 'k:' .. id)
  local place = place_of(key)
  local next = call('ZRANGEBYLEX', line, '[' .. place, '(' .. string.sub(place, 1, -2) .. '\1', 'LIMIT', 0, 1)[1]
  if not next then
    call('HDEL', marks, 'b:' .. key)
    return
  end
  local after = string.sub(next, #place + 17)
  call('ZREM', line, next)
  call('HSET', marks, 'b:' .. key, after, 'k:' .. after, key)
  call('ZADD', retry, text(now), after)
end

-- False when one before it has its key: then it stands in line.
local function take_key(id, key, number)
  if key == '' then return true end
  if call('HSETNX', marks, 'b:' .. key, id) == 1 then
    call('HSET', marks, 'k:' .. id, key)
    return true
  end
  call('XCLAIM', entries, group, NOBODY, 0, id, 'JUSTID')
  call('ZADD', line, 0, place_of(key, number) .. id)
  return false
end

local function forget(id)
  call('HDEL', marks, 'f:' .. id, 'c:' .. id)
  pass_on(id)
end

local function mark(kind, id)
  return call('HINCRBY', marks, kind .. id, 1)
end

local function count(kind, id)
  return tonumber(call('HGET', marks, kind .. id) or '0')
end

local function put_back(id, due)
  call('XCLAIM', entries, group, NOBODY, 0, id, 'JUSTID')
  call('ZADD', retry, text(due), id)
end

local function bury(id, reason, message)
  local entry = call('XRANGE', entries, id, id)[1]
  if entry then
    local f = entry[2]
    call('XADD', dead, 'MAXLEN', keep, '*', 'id', f[12] or id, 'd', f[4], 't', f[6], 'k', f[8], 'reason', reason, 'error', message, 'attempts',
      count('f:', id) + count('c:', id))
  end
  call('XACK', entries, group, id)
  forget(id)
end
