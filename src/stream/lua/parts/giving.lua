-- How a consumer is given jobs, each up to `room`; they answer how many. Reads: call, me, now, heads, blobs.

-- What a lane has that was never given out.
local function give_new(i, room)
  local read = call('XREADGROUP', GROUP, 'g', me, 'COUNT', room, 'STREAMS', KEYS[LANES + i], '>')
  if not read then return 0 end
  local entries = read[1][2]
  local words = { i .. ' 1 ' .. #entries }
  for j = 1, #entries do
    local entry = entries[j]
    local envelope = entry[2][2]
    words[2 * j], words[2 * j + 1] = entry[1], #envelope
    blobs[#blobs + 1] = envelope
  end
  heads[#heads + 1] = table.concat(words, ' ')
  return #entries
end

local function first_new(i)
  local last = call('XINFO', GROUPS, KEYS[LANES + i])[1][8]
  return (call('XRANGE', KEYS[LANES + i], '(' .. last, '+', 'COUNT', 1)[1] or {})[1]
end

-- Of the lowest lane whose first job has waited for 10 s: higher ones may not keep it waiting for ever.
local function give_overdue(room)
  for i = lanes, 2, -1 do
    local first = first_new(i)
    if first and string.match(first, '^%d+') + 10000 < now then return give_new(i, room) end
  end
  return 0
end

-- `groups`: whose turn each is. One whose job was taken away meanwhile has its turn no longer.
local function give_held(ids, groups)
  local bodies, count = call('HMGET', KEYS[4], unpack(ids)), 0
  call('HDEL', KEYS[4], unpack(ids))
  for i = 1, #ids do
    if bodies[i] then
      call('XADD', KEYS[LANES + 1], '*', 'j', bodies[i])
      count = count + 1
    elseif groups then
      end_turn(groups[i])
    end
  end
  if count == 0 then return 0 end
  return give_new(1, count)
end

-- As `give_overdue`, of exact ranks. Since when one waits is known by its number alone: what is not above the number of 10 s ago has waited for as
-- long. That one is written down every 10 s, so 20 s may pass.
local function give_overdue_rank(room)
  local lowest = call('ZRANGE', ranked, -1, -1, 'WITHSCORES')
  if not lowest[1] then return 0 end
  local marks = call('HMGET', KEYS[1], 'rankedAt', 'rankedSeq', 'overdueSeq', 'seq')
  local overdue = tonumber(marks[3] or 0)
  if tonumber(marks[1] or 0) + 10000 <= now then
    overdue = tonumber(marks[2] or 0)
    call('HSET', KEYS[1], 'rankedAt', format('%.0f', now), 'rankedSeq', marks[4], 'overdueSeq', format('%.0f', overdue))
  end
  for _ = 1, 16 do
    local base = math.floor(lowest[2] / STEP) * STEP
    local from, to = format('%.0f', base), format('%.0f', base + overdue)
    local ids = call('ZRANGE', ranked, from, to, 'BYSCORE', 'LIMIT', 0, math.min(room, 500))
    if ids[1] then
      call('ZREM', ranked, unpack(ids))
      return give_held(ids)
    end
    lowest = call('ZRANGE', ranked, '(' .. from, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')
    if not lowest[1] then return 0 end
  end
  return 0
end

local function give_ranked(room)
  local given = 0
  -- A lot must not be more than can be unpacked, and who gets fewer than he has room for takes it that there are no more.
  while given < room do
    local popped, ids = call('ZPOPMIN', ranked, math.min(room - given, 500)), {}
    for i = 1, #popped, 2 do ids[#ids + 1] = popped[i] end
    if #ids == 0 then break end
    given = given + give_held(ids)
  end
  return given
end

-- One of each group in the round, and on.
local function give_grouped(room)
  local ids, groups = {}, {}
  while #ids < math.min(room, 500) do
    local group = call('ZPOPMIN', round)[1]
    if not group then break end
    local first = call('ZRANGEBYLEX', grouped, '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, 1)[1]
    if first then
      call('ZREM', grouped, first)
      ids[#ids + 1] = sub(first, #group + 19)
      groups[#ids] = group
      call('HINCRBY', running, group, 1)
      join_round(group)
    end
  end
  if #ids == 0 then return 0 end
  return give_held(ids, groups)
end
