-- Where jobs wait for their turn: in the lane of their priority, or by exact rank, or in the line of their group. Those of ranks and
-- groups are put into the lane `held` at the moment that they are given out: from then on they are like any other. Reads: call, sub, byte,
-- format, KEYS, LANES, layout, and parts/envelope.
local HELD, MORE = '1000000', 5
-- How many turns of other groups a group goes ahead of for each step of priority of its first job: far, and not for ever.
local TURNS = 1000
-- A rank is the number of a job less its priority times this.
local STEP = 2 ^ 36
local lanes, ranked, grouped, round, running, parked = #KEYS - LANES, nil, nil, nil, nil, nil
if sub(layout, 1, #HELD) == HELD then
  lanes = lanes - MORE
  ranked, grouped, round, running, parked = unpack(KEYS, #KEYS - MORE + 1)
end
local lane_of = {}

-- The stream of a priority. One that was empty may have given way to another while a job of it waited for its time: then it is the next above it, so
-- that no job waits longer for that, or else the highest there is.
local function find_lane(priority)
  if not lane_of[priority] then
    local n, wanted, above, first = 0, tonumber(priority), nil, nil
    for name in string.gmatch(layout, '[^,]+') do
      n = n + 1
      if name ~= HELD and tonumber(name) then
        first = first or n
        if tonumber(name) >= wanted then above = n end
      end
    end
    lane_of[priority] = above or first or 1
  end
  return KEYS[LANES + lane_of[priority]]
end

-- A group with a job that may be given out now takes its place in the round, behind the others of its first job's priority.
local function join_round(group)
  if call('ZSCORE', parked, group) then return end
  if tonumber(call('HGET', running, group) or 0) >= group_most then return end
  local first = call('ZRANGEBYLEX', grouped, '[' .. group .. '\0', '(' .. group .. '\1', 'LIMIT', 0, 1)[1]
  if not first then return end
  local envelope = call('HGET', KEYS[4], sub(first, #group + 19))
  local ahead = envelope and priority_of(envelope) * TURNS or 0
  call('ZADD', round, 'NX', call('HINCRBY', KEYS[1], 'seq', 1) - ahead, group)
end

-- `again`: it was given out before, and is the first of its group.
local function place(envelope, lane, again)
  local group = group_of(envelope)
  if group then
    local id = id_of(envelope)
    local seq = format('%s%016.0f', again and '0' or '1', call('HINCRBY', KEYS[1], 'seq', 1))
    call('ZADD', grouped, 0, group .. '\0' .. seq .. id)
    call('HSET', KEYS[4], id, envelope)
    join_round(group)
  elseif byte(envelope, 1) >= 64 then
    local id = id_of(envelope)
    local score = call('HINCRBY', KEYS[1], 'seq', 1) - tonumber(priority_of(envelope)) * STEP
    call('ZADD', ranked, format('%.0f', score), id)
    call('HSET', KEYS[4], id, envelope)
  else
    call('XADD', lane or find_lane(priority_of(envelope)), '*', 'j', envelope)
  end
end
