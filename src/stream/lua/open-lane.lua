#!lua
-- stream/open-lane: make the stream of a priority, and the place of it in the layout.
-- KEYS  state  hash, layout and more
--       lane   stream
-- ARGV  priority  int
--       most      int, lanes that there may be
--       shape     text, of the stream, as the caller was told; '' where it was not
-- REPLY {'opened', layout:text} | {'crowded', layout:text}
-- WHY   every key of a script must be known before it is sent: the layout says which there are, and each script which layout it means.
--       Its last part is the shape, written with the first lane. Who was told another opens nothing, and sees it in the answer
-- COST  two commands
local layout, found, list, shape = redis.call('HGET', KEYS[1], 'layout') or '', false, {}, ARGV[3]
for part in string.gmatch(layout, '[^,]+') do
  if string.find(part, ':', 1, true) then
    if shape ~= '' and part ~= shape then return {'opened', layout} end
    shape = part
  else
    list[#list + 1] = tonumber(part)
    found = found or part == ARGV[1]
  end
end
if not found then
  if #list >= tonumber(ARGV[2]) then return {'crowded', layout} end
  list[#list + 1] = tonumber(ARGV[1])
  table.sort(list, function(a, b) return a > b end)
end
if shape ~= '' then list[#list + 1] = shape end
layout = table.concat(list, ',')
-- From its first entry on: what was added before the first reader must not be skipped. One that stands already is as good.
local CREATE = 'CREATE'
redis.pcall('XGROUP', CREATE, KEYS[2], 'g', '0', 'MKSTREAM')
redis.call('HSET', KEYS[1], 'layout', layout)
return {'opened', layout}
