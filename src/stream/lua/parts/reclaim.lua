-- Gives the jobs of a consumer whose lease has ended to this one, up to `room`. One consumer a call; one whose jobs are not all moved has
-- the score -1 or -2 and is gone on with first; -2: nobody is to blame. `~` holds what was handed back, its score is 0, and `!` what two
-- crashes are blamed on: given out alone, under a lease of its own, so that a third crash finds the one to blame. Who was blamed is on record: it may
-- have an excuse, see `excuse`.
local function blame(gone)
  local blamed = call('HGET', KEYS[1], 'blamed') or ''
  if string.find(' ' .. blamed, ' ' .. gone .. ' ', 1, true) then return end
  -- So many as are as long as 256 of 16 letters; half a name that is left at the end is nobody's.
  call('HSET', KEYS[1], 'blamed', sub(gone .. ' ' .. blamed, 1, 256 * 17))
end

local function reclaim(room)
  local ended = call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
  local gone, score = ended[1], tonumber(ended[2])
  if not gone then return 0 end
  if score > 0 then
    score = -1
    if sub(gone, -1) == '!' then
      call('ZADD', KEYS[2], 'XX', -2, sub(gone, 1, -2))
    elseif call('ZSCORE', KEYS[2], gone .. '!') then
      score = -2
    end
    call('ZADD', KEYS[2], score, gone)
  end
  local given, drained = 0, true
  for i = 1, lanes do
    local lane = KEYS[LANES + i]
    local pending = {}
    if given < room then pending = call('XPENDING', lane, 'g', '-', '+', room - given, gone) end
    if #pending == room - given then drained = false end
    if #pending > 0 and score == -1 then blame(gone) end
    for _, one in ipairs(pending) do
      local entry, count = one[1], one[4]
      if score == -1 and count >= 3 then
        local envelope = body_of(lane, entry)
        take_out(lane, entry)
        if envelope then
          local used = math.min(127, byte(envelope, 2) + count)
          bury(stamp(envelope, used, entry), 'crash', '', most)
          failed = failed + 1
        end
      elseif score == -1 and count == 2 then
        call('XCLAIM', lane, 'g', '!', 0, entry, 'RETRYCOUNT', 2, 'JUSTID')
        call('ZADD', KEYS[2], '+inf', '!')
      else
        if score ~= -2 then count = count + 1 end
        local claimed = call('XCLAIM', lane, 'g', me, 0, entry, 'RETRYCOUNT', count)[1]
        if claimed then
          give(i, count, claimed)
          given = given + 1
        end
      end
    end
  end
  if drained then
    call('ZREM', KEYS[2], gone)
    for i = 1, lanes do call('XGROUP', DELCONSUMER, KEYS[LANES + i], 'g', gone) end
  end
  return given
end

-- One of those that are given out alone.
local function take_suspect()
  for i = 1, lanes do
    local lane = KEYS[LANES + i]
    local first = call('XPENDING', lane, 'g', '-', '+', 1, '!')[1]
    if first then
      local claimed = call('XCLAIM', lane, 'g', me .. '!', 0, first[1], 'RETRYCOUNT', first[4] + 1)[1]
      if claimed then
        call('ZADD', KEYS[2], lease_end, me .. '!')
        give(i, first[4] + 1, claimed)
        return true
      end
    end
  end
  call('ZREM', KEYS[2], '!')
  return false
end

-- Whoever has jobs and no lease, for whatever reason, is taken for dead.
local function find_ownerless()
  for i = 1, lanes do
    for _, consumer in ipairs(call('XINFO', CONSUMERS, KEYS[LANES + i], 'g')) do
      if consumer[4] > 0 and not call('ZSCORE', KEYS[2], consumer[2]) then call('ZADD', KEYS[2], 1, consumer[2]) end
    end
  end
end
