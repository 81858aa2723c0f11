-- How holds end without a sale. KEYS[1] event, KEYS[2] map, KEYS[3] due, KEYS[4] log; reads and moves on: now, version, held, channel.

-- A hold's record: `<state><endedAtMs>|<expiresAtMs>|<seats>|<cells>|<bytes of customer>|<customer><payment>`, the first moment
-- always of 13 digits. state: h held, s sold, r released, e expired. cells: `12-13,45-45`, first and last of each run in the
-- map. customer: its field in the event. A record that cannot be read has no state.
local function read_hold(record)
  local state, expires, seats, cells, bytes, at = string.match(record, '^(%l)%d+|(%d+)|(%d+)|([%d,-]+)|(%d+)|()')
  if not at then return nil end
  return state, tonumber(expires), seats, cells, string.sub(record, at, at + bytes - 1)
end

-- A hold that ended is remembered for two days, so that a repeated request meets its first answer.
local REMEMBERED_MS = 172800000

-- False, and nothing written, where map or log are not what the record says.
local function give_back(hold, record, kind, letter)
  local _, _, seats, cells, customer = read_hold(record)
  for first, last in string.gmatch(cells, '(%d+)-(%d+)') do
    if last - first > 63 or call('GETRANGE', KEYS[2], first, last) ~= string.rep('h', last - first + 1) then return false end
  end
  local entry, at = format('%d-0', version + 1), format('%d', now)
  if not call('XADD', KEYS[4], 'NOMKSTREAM', entry, 'kind', kind, 'hold', hold, 'cells', cells, 'at', at, 'by', '') then
    return false
  end
  for first, last in string.gmatch(cells, '(%d+)-(%d+)') do
    call('SETRANGE', KEYS[2], first, string.rep('.', last - first + 1))
  end
  version, held = version + 1, held - seats
  call('HSET', KEYS[1], hold, letter .. at .. string.sub(record, 15))
  call('ZADD', KEYS[3], format('%d', now + REMEMBERED_MS), hold)
  if call('HINCRBY', KEYS[1], customer, -seats) <= 0 then call('HDEL', KEYS[1], customer) end
  return true
end

-- The doorbell rings last.
local function save()
  local number = format('%d', version)
  call('HSET', KEYS[1], 'version', number, 'held', format('%d', held))
  call('PUBLISH', channel, number)
end

-- Ends up to `most` holds whose time is over, and forgets those that ended long ago. The record's turn from `h` happens
-- once, whoever gets here first: so the seats are given back once.
local function end_due(most)
  local expired = 0
  for _, hold in ipairs(call('ZRANGE', KEYS[3], '-inf', format('%d', now), 'BYSCORE', 'LIMIT', 0, most)) do
    local record = call('HGET', KEYS[1], hold)
    local state = record and read_hold(record)
    if state == 'h' and give_back(hold, record, 'expired', 'e') then
      expired = expired + 1
    elseif state == 'h' or record and not state then
      -- Map and record disagree: left for verify to report, and moved out of the way of those behind it.
      call('ZADD', KEYS[3], format('%d', now + 60000), hold)
    else
      call('ZREM', KEYS[3], hold)
      if state == 'e' or state == 'r' then call('HDEL', KEYS[1], hold) end
    end
  end
  local head = call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  local kept = call('HMGET', KEYS[1], 'next', 'keep')
  local next_due = head[2] or 'inf'
  -- Looking costs the replicas nothing.
  if kept[1] ~= next_due then call('HSET', KEYS[1], 'next', next_due) end
  call('XTRIM', KEYS[4], 'MAXLEN', '~', kept[2] or 1000000)
  if expired > 0 then save() end
  return expired, tonumber(head[2])
end
