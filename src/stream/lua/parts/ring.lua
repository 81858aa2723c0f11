-- Tells one process that waits for work that there is some. Reads: call, now, idle, channel. A process that has not said for 15 s that it
-- waits is gone, and so is one that nobody hears for.
local function ring()
  for _ = 1, 5 do
    local waiting = call('ZPOPMIN', idle)
    if not waiting[1] then return end
    if waiting[2] + 15000 > now and call('PUBLISH', channel .. waiting[1], KEYS[1]) > 0 then return end
  end
end
