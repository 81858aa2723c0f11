-- Ends deliveries, from ARGV[at] on. Reads: call, me, now, most; the layout and that the consumer has its lease are checked.
local ended, failed = 0, 0
for _ = 1, tonumber(ARGV[at]) do
  local lane, n = KEYS[LANES + ARGV[at + 1]], tonumber(ARGV[at + 2])
  ended = ended + call('XACK', lane, 'g', unpack(ARGV, at + 3, at + 2 + n))
  call('XDEL', lane, unpack(ARGV, at + 3, at + 2 + n))
  at = at + 2 + n
end
for i = at + 1, #ARGV, 6 do
  local op, lane, entry = ARGV[i], KEYS[LANES + ARGV[i + 1]], ARGV[i + 2]
  if op == 'done' then
    if take_out(lane, entry) then
      ended = ended + 1
      if ARGV[i + 4] ~= '' then call('HDEL', KEYS[7], ARGV[i + 4]) end
      if ARGV[i + 5] ~= '' then
        end_turn(ARGV[i + 5])
        ready = true
      end
    end
  elseif op == 'back' then
    -- By the server's own count: a death that was taken back meanwhile stays so. By a repeat it may be another's.
    local one = call('XPENDING', lane, 'g', entry, entry, 1)[1]
    if one and (one[2] == me or one[2] == me .. '!') then
      hand_back(lane, entry, math.max(0, one[4] - 1))
      ready = true
    end
  else
    local envelope = body_of(lane, entry)
    if envelope and take_out(lane, entry) then
      -- One that its handler puts off has used no attempt.
      if op == 'dead' or tonumber(ARGV[i + 3]) > byte(envelope, 2) then failed = failed + 1 end
      envelope = stamp(envelope, tonumber(ARGV[i + 3]), entry)
      if op == 'dead' then
        bury(envelope, ARGV[i + 4], ARGV[i + 5], most)
      else
        local group, due = group_of(envelope), format('%.0f', now + ARGV[i + 4])
        if group then
          -- The whole group waits, so that its order stays.
          if ARGV[i + 4] ~= '0' then call('ZADD', parked, due, group) end
          if call('HINCRBY', running, group, -1) <= 0 then call('HDEL', running, group) end
          place(envelope, nil, true)
        elseif ARGV[i + 4] == '0' then
          place(envelope, byte(envelope, 1) < 64 and lane or nil)
        else
          local id = id_of(envelope)
          call('HSET', KEYS[4], id, envelope)
          call('ZADD', KEYS[3], due, id)
        end
        ready = true
      end
    end
  end
end
