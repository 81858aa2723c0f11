-- Ends deliveries, from ARGV[at] on. Reads: call, now, most; the layout and that the consumer has its lease are checked.
for _ = 1, tonumber(ARGV[at]) do
  local lane, n = KEYS[LANES + ARGV[at + 1]], tonumber(ARGV[at + 2])
  call('XACK', lane, 'g', unpack(ARGV, at + 3, at + 2 + n))
  call('XDEL', lane, unpack(ARGV, at + 3, at + 2 + n))
  at = at + 2 + n
end
for i = at + 1, #ARGV, 6 do
  local op, lane, entry = ARGV[i], KEYS[LANES + ARGV[i + 1]], ARGV[i + 2]
  if op == 'done' then
    if take_out(lane, entry) then call('HDEL', KEYS[7], ARGV[i + 4]) end
  elseif op == 'back' then
    if #call('XPENDING', lane, 'g', entry, entry, 1) > 0 then hand_back(lane, entry, ARGV[i + 3]) end
    ready = true
  else
    local envelope = body_of(lane, entry)
    if envelope and take_out(lane, entry) then
      envelope = stamp(envelope, tonumber(ARGV[i + 3]), entry)
      if op == 'dead' then
        bury(envelope, ARGV[i + 4], ARGV[i + 5], most)
      elseif ARGV[i + 4] == '0' then
        call('XADD', lane, '*', 'j', envelope)
        ready = true
      else
        local id = id_of(envelope)
        call('HSET', KEYS[4], id, envelope)
        call('ZADD', KEYS[3], format('%.0f', now + ARGV[i + 4]), id)
      end
    end
  end
end
