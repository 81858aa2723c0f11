#!lua flags=allow-oom
-- limit/refund: take back a cost that was admitted, as far as it still counts.
-- KEYS  state   hash
--       more…   lists of the rules that have one
-- ARGV  cost    int
--       rules…  text   as for consume, without those of kind c
-- REPLY {'refunded'}
-- WHY   never below nothing, and never a key that was not there: a counter that is decremented after its end would live for ever, below
--       zero. Permits are given back by their token instead.
-- COST  O(rules); of kind l O(cost)
local before = 1
-- PUT clock
-- PUT outlive
-- PUT ask
local changed, longest = {}, 0
for i = 1, count do
  -- PUT load
  if kind == 108 then
    extra = extra + 1
    local key, left = KEYS[extra], cost
    -- The newest first: they would count the longest.
    while left > 0 do
      local last = call('RPOP', key)
      if not last then break end
      local admitted, sum, amount = read('<ddd', last)
      if amount > left then
        call('RPUSH', key, struct.pack('<ddd', admitted, sum - left, amount - left))
        outlive(key, per)
      end
      left = left - amount
    end
  elseif stored[i + 1] then
    -- PUT rule
    if kind == 115 then
      if b < cost then c = math.max(0, c + b - cost) end
      b = math.max(0, b - cost)
      -- What it says of the past window would else end with the past one's key.
      if fresh then longest = math.max(longest, a + 2 * per - now) end
    elseif kind == 102 then
      b = math.max(0, b - cost)
    else
      b = math.max(0, b - cost * per)
    end
    changed[#changed + 1] = ARGV[first + i]
    changed[#changed + 1] = struct.pack('<ddd', a, b, c)
  end
end
if #changed > 0 then call('HSET', KEYS[1], unpack(changed)) end
if longest > 0 then outlive(KEYS[1], longest) end
return {'refunded'}
