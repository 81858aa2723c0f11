-- Begins a new era, open until then or closed by 0: nothing that was counted before stands any more.
local function change(untilMs, keepMs)
  era, open, trial = era + 1, untilMs, ''
  redis.call('HSET', KEYS[1], 'era', era, 'open', string.format('%.0f', open), 'row', 0)
  redis.call('HDEL', KEYS[1], 'trial', 'tried', 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')
  redis.call('PEXPIRE', KEYS[1], keepMs)
end
