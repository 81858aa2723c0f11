-- Where a group begins that is to get what `from` says: after which id, and how many entries are before that. Reads: call.
local function find_point(entries, from, added, trimmed)
  if from == 'first' then return '0-0', trimmed end
  if from == 'now' then return '$', added end
  local ms, seq = string.match(from, '^(%d+)-(%d+)$')
  local start = '0-0'
  -- The id right before it: ids are compared as they are, and it need not exist.
  if seq ~= '0' then
    start = ms .. '-' .. string.format('%.0f', seq - 1)
  elseif ms ~= '0' then
    start = string.format('%.0f', ms - 1) .. '-18446744073709551615'
  end
  local first = call('XRANGE', entries, from, '+', 'COUNT', 1)[1]
  return start, first and string.format('%.0f', first[2][2] - 1) or added
end
