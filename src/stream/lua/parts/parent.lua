-- A parent waits for its children among those that wait for their time, for a moment that never comes. Has the parent of a child look at once what
-- became of them; nothing for one that is no child. Reads: call.
local AWAITED = 9e15
local function call_parent(delayed, id)
  local parent = string.match(id, '^(.+)@0@%d+$')
  local due = parent and call('ZSCORE', delayed, parent)
  if not due or tonumber(due) < AWAITED then return false end
  call('ZADD', delayed, '1', parent)
  return true
end

-- A child that is gone, and was neither done nor buried, is one that its parent needs not wait for.
local function leave_parent(delayed, kin, id)
  local place = string.match(id, '@0@(%d+)$')
  if not place then return false end
  call('HSET', kin, place, 'c')
  if call_parent(delayed, id) then return true end
  call('PEXPIRE', kin, 2592000000)
  return false
end
