-- An envelope is a head of 7-bit letters, and the payload, which is nobody's business here:
--   flags(1) used(1) id length(1) id, then by the flags: 1 the id is the user's · 2 priority: length(1) digits · 4 when it was added:
--   13 digits of ms · 8 group: length(2) group · 16 options: length(2) text · 32 types: length(4) text · 64 it waits by exact rank
local function id_of(envelope)
  return sub(envelope, 4, 3 + byte(envelope, 3))
end

local function is_named(envelope)
  return byte(envelope, 1) % 2 == 1
end

local function priority_of(envelope)
  if byte(envelope, 1) % 4 < 2 then return '0' end
  local at = 4 + byte(envelope, 3)
  return sub(envelope, at + 1, at + byte(envelope, at))
end

-- Whose jobs run one after the other; nil for a job by itself.
local function group_of(envelope)
  local flags = byte(envelope, 1)
  if flags % 16 < 8 then return nil end
  local at = 4 + byte(envelope, 3)
  if flags % 4 >= 2 then at = at + 1 + byte(envelope, at) end
  if flags % 8 >= 4 then at = at + 13 end
  return sub(envelope, at + 2, at + 1 + byte(envelope, at) * 128 + byte(envelope, at + 1))
end

-- With so many attempts used, and since when it is here: its entry knows until it leaves the stream.
local function stamp(envelope, used, entry)
  local flags = byte(envelope, 1)
  if flags % 8 >= 4 then return sub(envelope, 1, 1) .. char(used) .. sub(envelope, 3) end
  local at = 4 + byte(envelope, 3)
  if flags % 4 >= 2 then at = at + 1 + byte(envelope, at) end
  local added = format('%013.0f', tonumber(string.match(entry, '^%d+')))
  return char(flags + 4, used) .. sub(envelope, 3, at - 1) .. added .. sub(envelope, at)
end
