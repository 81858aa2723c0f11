-- Keeps a key for so many µs at least. One that has no end yet says -1.
local function outlive(key, us)
  local ms = math.min(math.ceil(us / 1000) + 1, 1e13)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
