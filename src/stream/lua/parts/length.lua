-- How many jobs more there may be in this shard, of `length`; any number for 0. Reads: call, sub, KEYS, LANES, layout, and the keys of what waits
-- for its time, `delayed`.
local function room_of(length, delayed)
  if length <= 0 then return math.huge end
  local left, last = length - call('ZCARD', delayed), #KEYS
  if sub(layout, 1, 7) == '1000000' then
    left = left - call('ZCARD', KEYS[last - 4]) - call('ZCARD', KEYS[last - 3])
    last = last - 5
  end
  for i = LANES + 1, last do left = left - call('XLEN', KEYS[i]) end
  return left
end
