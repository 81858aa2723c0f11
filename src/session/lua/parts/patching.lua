-- Merges what stands in ARGV from `first` on: `count` names with their values, then the names to remove. Answers nothing; or the size that the
-- data would have, more than `most` bytes and more than it has, and then nothing is written.
local function patch(most, count, first)
  local before = tonumber(call('HGET', KEYS[1], 'size') or 0)
  local size, removed = before, first + 2 * count
  for i = first, removed - 1, 2 do
    local length = call('HSTRLEN', KEYS[1], ARGV[i])
    size = size + #ARGV[i + 1] - length
    -- No value is empty: a length of 0 is a field that is not there.
    if length == 0 then size = size + #ARGV[i] end
  end
  for i = removed, #ARGV do
    local length = call('HSTRLEN', KEYS[1], ARGV[i])
    if length > 0 then size = size - length - #ARGV[i] end
  end
  if size > tonumber(most) and size > before then return size end
  if removed <= #ARGV then call('HDEL', KEYS[1], unpack(ARGV, removed)) end
  if count > 0 then
    call('HSET', KEYS[1], 'size', string.format('%d', size), unpack(ARGV, first, removed - 1))
  elseif size ~= before then
    call('HSET', KEYS[1], 'size', string.format('%d', size))
  end
end
