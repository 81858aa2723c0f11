#!lua
-- limit/consume: admit a cost by all rules together, or by none.
-- KEYS  state   hash: by rule its field; blocked: until when nobody is admitted
--       more…   of each rule of kind l, a list of who was admitted; of kind c, a zset of permits by when they end
-- ARGV  cost    int
--       permit  text   the caller's token for permits, or '' where no rule gives any
--       rules…  text   by rule: limit, per in µs, most at once; then, by rule, its field: one letter and what tells it from others
-- REPLY {'allowed', figures:bytes} | {'refused', figures:bytes} | {'blocked', figures:bytes}
--       figures: now in µs, and of each rule three numbers (see parts/rule and parts/kept), after this call; blocked: now, and until when
-- WHY   First all rules are asked, then all are written: a rule that refuses costs the others nothing, and a refusal writes nothing. All
--       states that are single numbers stand in one hash: one read and one write for any number of rules.
--       Its life is looked at only where it must become longer, and is there from the first write on.
-- COST  3 commands for any number of rules, 2 more where a window begins; rules of kind l and c 3 to 6 more each. O(rules); of kind l
--       O(limit) at worst, for what has run out is dropped here
local before = 2
-- PUT clock
-- PUT outlive
-- PUT ask
if blocked > now then return {'blocked', struct.pack('<dd', now, blocked)} end
for i = 1, count do
  -- PUT load
  -- PUT rule
  -- PUT kept
  x[i], y[i], z[i], anew[i] = a, b, c, fresh
end
if not fits or cost == 0 then
  -- PUT answer
  if fits then return {'allowed', figures} end
  return {'refused', figures}
end

local changed, longest = {}, 0
for i = 1, count do
  local at, field = before + 3 * i, ARGV[first + i]
  local limit, per, kind, fresh = tonumber(ARGV[at - 2]), tonumber(ARGV[at - 1]), string.byte(field), anew[i]
  if kind == 108 then
    local key, gone, total = places[i], past[i][1], past[i][2]
    local admitted = z[i] > now and z[i] or now
    if gone > 0 then call('LTRIM', key, gone, -1) end
    call('RPUSH', key, struct.pack('<ddd', admitted, total + cost, cost))
    outlive(key, admitted - now + per)
    x[i], z[i] = x[i] + cost, admitted
  elseif kind == 99 then
    local key, last = places[i], format('%.0f', now + per)
    call('ZREMRANGEBYSCORE', key, '-inf', now)
    for from = 1, cost, 1000 do
      local members = {}
      for n = from, math.min(cost, from + 999) do
        members[#members + 1] = last
        members[#members + 1] = n == 1 and ARGV[2] or ARGV[2] .. '#' .. n
      end
      call('ZADD', key, unpack(members))
    end
    outlive(key, per)
    x[i], z[i] = x[i] + cost, now + per
  else
    local a, b, c, life = x[i], y[i], z[i], 0
    -- PUT add
    if life > longest then longest = life end
    x[i], y[i], z[i] = a, b, c
    changed[#changed + 1] = field
    changed[#changed + 1] = struct.pack('<ddd', a, b, c)
  end
end
if #changed > 0 then call('HSET', KEYS[1], unpack(changed)) end
if longest > 0 then outlive(KEYS[1], longest) end
-- PUT answer
return {'allowed', figures}
