-- The user's sessions are forgotten when the last of them can only be over; the moment never moves back.
local function last_until(ms)
  if call('PEXPIRETIME', KEYS[1]) < ms then call('PEXPIREAT', KEYS[1], string.format('%d', ms)) end
end
