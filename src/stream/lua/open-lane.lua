#!lua
-- stream/open-lane: make the stream of a priority, and the place of it in the layout.
-- KEYS  state  hash, layout and more
--       lane   stream
-- ARGV  priority  int
--       most      int, lanes that there may be
-- REPLY {'opened', layout:text} | {'crowded', layout:text}
-- WHY   every key of a script must be known before it is sent: the layout says which there are, and each script which layout it means
-- COST  two commands
local layout, found, list = redis.call('HGET', KEYS[1], 'layout') or '', false, {}
for priority in string.gmatch(layout, '[^,]+') do
  list[#list + 1] = tonumber(priority)
  found = found or priority == ARGV[1]
end
if not found then
  if #list >= tonumber(ARGV[2]) then return {'crowded', layout} end
  list[#list + 1] = tonumber(ARGV[1])
  table.sort(list, function(a, b) return a > b end)
  layout = table.concat(list, ',')
end
-- From its first entry on: what was added before the first reader must not be skipped. One that stands already is as good.
local CREATE = 'CREATE'
redis.pcall('XGROUP', CREATE, KEYS[2], 'g', '0', 'MKSTREAM')
redis.call('HSET', KEYS[1], 'layout', layout)
return {'opened', layout}
