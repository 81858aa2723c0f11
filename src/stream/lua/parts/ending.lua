-- How jobs leave their lanes. Reads: call, now, KEYS as `turn` has them.
local function body_of(lane, entry)
  local found = call('XRANGE', lane, entry, entry)[1]
  return found and found[2][2]
end

-- True where the entry was still pending, so that a repeat does nothing.
local function take_out(lane, entry)
  if call('XACK', lane, 'g', entry) == 0 then return false end
  call('XDEL', lane, entry)
  return true
end

-- A job of a group is given out no more: the next of its group may be.
local function end_turn(group)
  if call('HINCRBY', running, group, -1) <= 0 then call('HDEL', running, group) end
  join_round(group)
end

-- Among the dead letters, whose oldest give way beyond `most`.
local function bury(envelope, reason, fault, most)
  local id = id_of(envelope)
  if is_named(envelope) then call('HDEL', KEYS[7], id) end
  local group = group_of(envelope)
  if group then end_turn(group) end
  if call_parent(KEYS[3], id) then ready = true end
  -- Of those that die in one ms too the later is above: they come to life again in this order. 4096 of them still differ as a score.
  local last, died = tonumber(call('ZRANGE', KEYS[5], -1, -1, 'WITHSCORES')[2] or 0), now
  if last >= now and last < now + 1000 then died = last + 1 / 4096 end
  call('ZADD', KEYS[5], format('%.17g', died), id)
  call('HSET', KEYS[6], id, char(#reason) .. reason .. format('%07d', #fault) .. fault .. envelope)
  local over = call('ZCARD', KEYS[5]) - most
  if over <= 0 then return end
  -- Two where it may: where fewer are to be kept than before, each that comes brings the number down by one.
  local oldest = call('ZPOPMIN', KEYS[5], math.min(over, 2))
  for i = 1, #oldest, 2 do call('HDEL', KEYS[6], oldest[i]) end
end

-- Back among those that wait, first of all: its place is before all that were never given out.
local function hand_back(lane, entry, count)
  call('XCLAIM', lane, 'g', '~', 0, entry, 'RETRYCOUNT', count, 'JUSTID')
  call('ZADD', KEYS[2], 0, '~')
end
