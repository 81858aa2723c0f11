-- Looks for a job in its lanes, after which five other keys may stand, at `most` entries from where the caller left off. Reads: call, sub, byte, LANES, layout, id, lane, from, most.
-- Answers its lane, entry and envelope; or nil and where to go on.
local function id_of(envelope)
  return sub(envelope, 4, 3 + byte(envelope, 3))
end

local function seek()
  local left = most
  for i = lane, #KEYS - LANES - (sub(layout, 1, 7) == '1000000' and 5 or 0) do
    local start = i == lane and from ~= '' and '(' .. from or '-'
    local entries = call('XRANGE', KEYS[LANES + i], start, '+', 'COUNT', left)
    for _, one in ipairs(entries) do
      if id_of(one[2][2]) == id then return i, one[1], one[2][2] end
    end
    if #entries == left then return nil, i, entries[left][1] end
    left = left - #entries
  end
  return nil
end
