-- Tells one process that waits for work that there is some. Reads: call, now, idle, wake, channel. A process that has not said for 15 s that
-- it waits is gone, and so is one that nobody hears for. Those whose names begin with `<` block on a list: one token wakes whichever blocks
-- first, and one that still lies there is one that nobody takes.
local function ring()
  for _ = 1, 5 do
    local waiting = call('ZPOPMIN', idle)
    if not waiting[1] then return end
    if waiting[2] + 15000 > now then
      if string.byte(waiting[1]) ~= 60 then
        if call('PUBLISH', channel .. waiting[1], KEYS[1]) > 0 then return end
      elseif call('LLEN', wake) == 0 then
        call('RPUSH', wake, '1')
        return
      end
    end
  end
end
