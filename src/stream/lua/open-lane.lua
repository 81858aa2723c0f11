#!lua
-- stream/open-lane: make the stream of a priority, and the place of it in the layout.
-- KEYS  state   hash, layout and more
--       lane    stream
--       lanes…  streams, in the order of the layout
-- ARGV  layout    text, the priorities of the lanes as the caller knows them
--       priority  int
--       most      int, lanes that there may be
--       shape     text, of the stream, as the caller was told; '' where it was not
-- REPLY {'opened', layout:text} | {'crowded', layout:text} | {'layout', layout:text}
-- WHY   every key of a script must be known before it is sent: the layout says which there are, and each script which layout it means.
--       Its last part is the shape, written with the first lane. Who was told another opens nothing, and sees it in the answer. Where there are
--       as many lanes as may be, the empty one that was used least lately gives way: whoever means it is told of another layout, and makes it
--       again; jobs of it that wait for their time find the lane next to it
-- COST  two commands; three a lane where one gives way
local call, HELD = redis.call, 1000000
local layout, found, list, shape = call('HGET', KEYS[1], 'layout') or '', false, {}, ARGV[4]
if layout ~= ARGV[1] then return {'layout', layout} end
for part in string.gmatch(layout, '[^,]+') do
  if string.find(part, ':', 1, true) then
    if shape ~= '' and part ~= shape then return {'opened', layout} end
    shape = part
  else
    list[#list + 1] = tonumber(part)
    found = found or part == ARGV[2]
  end
end
if not found then
  if #list >= tonumber(ARGV[3]) then
    local victim, oldest
    for i, priority in ipairs(list) do
      local lane = KEYS[2 + i]
      if priority ~= HELD and call('XLEN', lane) == 0 then
        local GROUPS = 'GROUPS'
        local groups = redis.pcall('XINFO', GROUPS, lane)
        local used = not groups.err and groups[1] and tonumber(string.match(groups[1][8], '^%d+')) or 0
        used = math.max(used, tonumber(call('HGET', KEYS[1], 'opened:' .. priority) or 0))
        if not oldest or used < oldest then victim, oldest = i, used end
      end
    end
    if not victim then return {'crowded', layout} end
    call('DEL', KEYS[2 + victim])
    call('HDEL', KEYS[1], 'opened:' .. list[victim])
    table.remove(list, victim)
  end
  list[#list + 1] = tonumber(ARGV[2])
  table.sort(list, function(a, b) return a > b end)
  local clock = call('TIME')
  call('HSET', KEYS[1], 'opened:' .. ARGV[2], string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)))
end
if shape ~= '' then list[#list + 1] = shape end
layout = table.concat(list, ',')
-- From its first entry on: what was added before the first reader must not be skipped. One that stands already is as good.
local CREATE = 'CREATE'
redis.pcall('XGROUP', CREATE, KEYS[2], 'g', '0', 'MKSTREAM')
call('HSET', KEYS[1], 'layout', layout)
return {'opened', layout}
