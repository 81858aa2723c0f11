#!lua flags=no-writes
-- geo/find: the places within a shape, the nearest or the farthest of them.
-- KEYS  cells   zset  where a place is and its id, by cell
-- ARGV  lon     text  from where distances are counted, in degrees
--       lat     text
--       most    text  highest haversine of a place
--       west    text  a rectangle, in degrees: where it begins
--       width   text  how far it goes east
--       south   text
--       north   text
--       limit   int   places to tell
--       sign    int   1: the nearest, -1: the farthest, 0: any
--       looks   int   places to look at in this run
--       cells…  text  ranges of cells: first and last
-- REPLY {'found', places…:bytes} | {'more', ranges:int, cell:text, places…:bytes}
--       places: where it is, 16 bytes or 24, and its id; more: how many ranges are done, and with which cell the next one goes on
-- WHY   distances are exact, not those of a cell, and hold at the poles and across the antimeridian. A heap keeps the best ones, so that a
--       crowd costs no sorting, and few bytes leave. It goes on by cell, not by how many were seen: whoever stands still is met, whatever comes or goes
-- COST  1 command a range, 1 for 500 places, and 1.5 to 3 µs for each place that is looked at
local call, read, sin, cos, rad = redis.call, struct.unpack, math.sin, math.cos, math.pi / 360
local lon, lat, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local west, width, south, north = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local limit, sign, looks = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local cosine, keys, members, count = cos(2 * lat * rad), {}, {}, 0

-- A heap whose first is the worst of those that are kept.
local function up(i, key, member)
  while i > 1 do
    local parent = math.floor(i / 2)
    if keys[parent] >= key then break end
    keys[i], members[i] = keys[parent], members[parent]
    i = parent
  end
  keys[i], members[i] = key, member
end
local function down(key, member)
  local i = 1
  while 2 * i <= count do
    local child = 2 * i
    if child < count and keys[child + 1] > keys[child] then child = child + 1 end
    if keys[child] <= key then break end
    keys[i], members[i] = keys[child], members[child]
    i = child
  end
  keys[i], members[i] = key, member
end
local function look(member)
  local x, y = read('<dd', member)
  if y < south or y > north or (width < 360 and (x - west) % 360 > width) then return end
  local a, b = sin((y - lat) * rad), sin((x - lon) * rad)
  local haversine = a * a + cosine * cos(2 * y * rad) * b * b
  if haversine > most then return end
  local key = haversine * sign
  if count < limit then
    count = count + 1
    up(count, key, member)
  elseif key < keys[1] then
    down(key, member)
  end
end

for i = 11, #ARGV, 2 do
  local seen, total, start = 0, call('ZCOUNT', KEYS[1], ARGV[i], ARGV[i + 1]), 0
  -- By rank: an offset within a range of scores is walked each time.
  if total > 0 then start = call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[i]) end
  while seen < total do
    local lot = call('ZRANGE', KEYS[1], start + seen, start + math.min(seen + 500, total) - 1)
    for j = 1, #lot do look(lot[j]) end
    looks, seen = looks - #lot, seen + #lot
    if sign == 0 and count == limit then return {'found', unpack(members, 1, count)} end
    if looks <= 0 and seen < total then
      local cell = call('ZSCORE', KEYS[1], lot[#lot])
      if tonumber(cell) > tonumber(ARGV[i]) then return {'more', (i - 11) / 2, cell, unpack(members, 1, count)} end
    end
  end
  if looks <= 0 and i + 2 < #ARGV then return {'more', (i - 9) / 2, ARGV[i + 2], unpack(members, 1, count)} end
end
return {'found', unpack(members, 1, count)}
