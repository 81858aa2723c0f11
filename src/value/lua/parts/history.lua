-- The tokens of the last writes, 12 letters each, the newest last: who follows a version, and whether a write has been done.
-- A value that rests for a minute begins anew: no call takes so long.
local function is_done(history, token)
  return string.find(history, token, 1, true) ~= nil
end
-- Of a repeat: whether the first attempt may have been done and forgotten since.
local function is_doubtful(history, base)
  if base ~= '*' and base ~= '' and string.find(history, base, 1, true) then return false end
  return #history >= 384
end
local function add(history, token, restedMs)
  if restedMs > 60000 then history = string.sub(history, -12) end
  return string.sub(history, -372) .. token
end
