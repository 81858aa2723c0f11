-- A circuit as it is stored, and what it says. `open`: until when nobody is admitted, 0 while it is closed.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local stored = redis.call('HMGET', KEYS[1], 'era', 'open', 'row', 'trial', 'tried')
local era, open, row = tonumber(stored[1] or 0), tonumber(stored[2] or 0), tonumber(stored[3] or 0)
local trial, tried = stored[4] or '', tonumber(stored[5] or 0)
local function answer()
  if open == 0 then return {'closed', era} end
  if now < open then return {'open', era, open - now} end
  if trial ~= '' and now < tried then return {'trying', era, tried - now} end
  return {'due', era}
end
