-- How many jobs were done, and how many attempts failed: in all, and where these counts stood when this minute began and the one before it.
-- Reads: call, now, KEYS[1].
local function tally(ended, failed)
  if ended + failed == 0 then return end
  local minute = math.floor(now / 60000)
  local known = call('HMGET', KEYS[1], 'minute', 'done', 'failed', 'done0', 'failed0')
  local before = tonumber(known[1] or 0)
  if before ~= minute then
    local done0, failed0 = known[2] or '0', known[3] or '0'
    local done1, failed1 = done0, failed0
    if before == minute - 1 then done1, failed1 = known[4], known[5] end
    call('HSET', KEYS[1], 'minute', minute, 'done0', done0, 'failed0', failed0, 'done1', done1, 'failed1', failed1)
  end
  if ended > 0 then call('HINCRBY', KEYS[1], 'done', ended) end
  if failed > 0 then call('HINCRBY', KEYS[1], 'failed', failed) end
end
