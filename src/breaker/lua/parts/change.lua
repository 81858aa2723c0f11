-- Begins a new era, open until then or closed by 0: nothing that was counted before stands any more. Its number is not one of those that a server
-- had before it forgot them, and is kept for as long as it is open.
local function change(untilMs, keepMs)
  era, open, trial = math.max(era + 1, now), untilMs, ''
  redis.call('HSET', KEYS[1], 'era', string.format('%.0f', era), 'open', string.format('%.0f', open), 'row', 0)
  redis.call('HDEL', KEYS[1], 'trial', 'tried', 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keepMs + math.max(0, untilMs - now)))
end
