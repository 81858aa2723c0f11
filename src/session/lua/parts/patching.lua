-- Merges what stands in ARGV from `first` on: `count` names with their values, then the names to remove. Answers the fields as they are then;
-- or nil and the size that the data would have, more than `most` bytes and more than it has, and then nothing is written.
local function patch(most, count, first)
  local place, before = {}, 0
  for i = 1, #fields, 2 do
    place[fields[i]] = i + 1
    if string.byte(fields[i]) == 46 then before = before + #fields[i] + #fields[i + 1] end
  end
  local size, removed, gone = before, first + 2 * count, false
  for i = first, removed - 1, 2 do
    local at = place[ARGV[i]]
    size = size + #ARGV[i + 1] + (at and -#fields[at] or #ARGV[i])
    if not at then
      at = #fields + 2
      fields[at - 1] = ARGV[i]
    end
    fields[at] = ARGV[i + 1]
  end
  for i = removed, #ARGV do
    local at = place[ARGV[i]]
    if at then
      size, gone = size - #fields[at] - #ARGV[i], true
      fields[at] = false
    end
  end
  if size > tonumber(most) and size > before then return nil, size end
  if count > 0 then call('HSET', KEYS[1], unpack(ARGV, first, removed - 1)) end
  if not gone then return fields end
  call('HDEL', KEYS[1], unpack(ARGV, removed))
  local left = {}
  for i = 1, #fields, 2 do
    if fields[i + 1] then
      if i + 1 == at_meta then at_meta = #left + 2 end
      left[#left + 1], left[#left + 2] = fields[i], fields[i + 1]
    end
  end
  return left
end
