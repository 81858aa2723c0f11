-- One rule that keeps who was admitted in a key of its own; writes nothing. Of a, b and c:
--   l  a: admitted within `per`, b: when `cost` will fit, or 0, c: when the last one was admitted
--   c  a: permits out, b: when `cost` will fit by those that end by themselves, c: when the last ends; those two only where it does
--      not fit
if kind == 108 then
  extra = extra + 1
  local key, total, base, from, gone = KEYS[extra], 0, nil, 0, nil
  local last = call('LINDEX', key, -1)
  if last then c, total = read('<dd', last) end
  -- In lots: what has run out, and, where the cost does not fit, who must run out first.
  while last do
    local lot = call('LRANGE', key, from, from + 63)
    for j = 1, #lot do
      local admitted, sum, amount = read('<ddd', lot[j])
      if admitted + per > now then
        if not base then
          base, gone = sum - amount, from + j - 1
          if total - base + cost <= most then last = nil end
        end
        if last and total - sum + cost <= most then b, last = admitted + per, nil end
        if not last then break end
      end
    end
    from = from + 64
    if #lot < 64 then last = nil end
  end
  places[i], past[i] = key, { gone or from, total }
  a = total - (base or total)
  if a + cost > most then fits = false end
elseif kind == 99 then
  extra = extra + 1
  places[i] = KEYS[extra]
  local after = format('(%.0f', now)
  a = call('ZCOUNT', KEYS[extra], after, '+inf')
  if a + cost > most then
    fits = false
    b = tonumber(call('ZRANGEBYSCORE', KEYS[extra], after, '+inf', 'WITHSCORES', 'LIMIT', a + cost - most - 1, 1)[2] or 0)
    c = tonumber(call('ZRANGE', KEYS[extra], -1, -1, 'WITHSCORES')[2] or 0)
  end
end
