-- Carries out what the caller says of its entries, five arguments each from `at` on: word, id, delay in ms, reason, error.
-- Each may come twice: whatever is not the caller's own by now is left alone.
local function settle(at)
  local done, held = {}, {}
  for i = at, #ARGV, 5 do
    local word, id = ARGV[i], ARGV[i + 1]
    held[id] = true
    if word == 'done' then
      done[#done + 1] = id
    elseif word ~= 'held' then
      local own = call('XPENDING', entries, group, id, id, 1)[1]
      if own and own[2] == me then
        if word == 'dead' then
          mark('f:', id)
          bury(id, ARGV[i + 3], ARGV[i + 4])
        else
          if word == 'failed' then mark('f:', id) end
          put_back(id, now + ARGV[i + 2])
        end
      end
    end
  end
  if #done > 0 then
    call('XACK', entries, group, unpack(done))
    if call('EXISTS', marks) == 1 then
      for _, id in ipairs(done) do forget(id) end
    end
  end
  return held
end

-- What the caller was given by an answer that never reached it.
local function put_back_others(held)
  for _, own in ipairs(call('XPENDING', entries, group, '-', '+', 1000, me)) do
    if not held[own[1]] then put_back(own[1], now) end
  end
end
