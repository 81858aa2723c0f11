-- What becomes of an entry that was not done. Reads: call, entries, group, retry, marks, dead, now, text.
-- Entries that wait for their next try belong to nobody: in the group's list of pending ones they stand under this name.
local NOBODY = 'retry'

local function forget(id)
  call('HDEL', marks, 'f:' .. id, 'c:' .. id)
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
    call('XADD', dead, '*', 'id', f[12] or id, 'd', f[4], 't', f[6], 'k', f[8], 'reason', reason, 'error', message, 'attempts',
      count('f:', id) + count('c:', id))
  end
  call('XACK', entries, group, id)
  forget(id)
end
