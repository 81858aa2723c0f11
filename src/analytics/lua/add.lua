#!lua
-- analytics/add: count a lot of what happened, once.
-- KEYS  writer  string  the number of the last lot of who sends it
--       more…   what is counted, by op those of each tier side by side
-- ARGV  number  int     of this lot; those of one writer come in order, the next when the last was answered
--       lasts   int     ms for which the writer is remembered
--       rest…   text    when each key of more… ends, in ms; then the ops, see WHY
-- REPLY {'added', crowded:int} | {'repeated'}
--       crowded: what was not counted, for a bucket holds as many names as it may
-- WHY   The number is noted before anything is counted: a lot that comes twice, or whose first run broke, is never counted twice.
--       Top lists are Space-Saving: who comes when the list is full takes the place and the count of the least. The sum of a list is its hits, so
--       its least count, by which nobody is told too high or missing, is at most hits / most. A sample holds the visitors of the lowest
--       ranks: the same visitors in every sample, so that samples can be compared.
--       An op is its kind, the number of its first key among all, how many tiers, and:
--       `c field by` adds to a count, `f field by` to a sum, `t most item by` to the top list; `u n visitor…`: visitors; `i most field n visitor…`:
--       visitors of an item, while `most` items or fewer have any, its keys theirs and then the counts'; `s most n (visitor rank (first last)
--       by tier)…`: to a sample; `r most n (at event)…`: the newest events.
-- COST  1 to 4 commands by op and tier, of O(log most); a lot of 250 marks takes 0.2 to 5 ms
local call = redis.call
if tonumber(ARGV[1]) <= tonumber(call('GET', KEYS[1]) or 0) then return {'repeated'} end
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

local most_names, crowded = 20000, 0
local function has_room(key, field)
  return call('HLEN', key) < most_names or call('HEXISTS', key, field) == 1
end

local function rank(key, card, most, item, by)
  if call('ZSCORE', key, item) then
    call('ZINCRBY', key, by, item)
    return card
  end
  local least = 0
  while card >= most do
    least = tonumber(call('ZPOPMIN', key)[2])
    card = card - 1
  end
  call('ZADD', key, string.format('%.0f', least + tonumber(by)), item)
  return card + 1
end

local step = 1048576
-- The rank above which a sample holds nobody.
local function highest(key, most)
  if call('ZCARD', key) < most then return math.huge end
  return math.floor(tonumber(call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]) / step)
end
local function sample(key, most, id, ranked, first, last)
  local score = tonumber(call('ZSCORE', key, id) or -1)
  if score >= 0 then
    local times = score % step
    first = math.min(first, math.floor(times / 1024))
    last = math.max(last, times % 1024)
  else
    local ends = highest(key, most)
    if ranked >= ends then return end
    if ends < math.huge then call('ZPOPMAX', key) end
  end
  call('ZADD', key, string.format('%.0f', ranked * step + first * 1024 + last), id)
end

local at = 2 + #KEYS
while at <= #ARGV do
  local kind, first, tiers = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local after = at + 5
  if kind == 'u' then after = at + 4 + tonumber(ARGV[at + 3])
  elseif kind == 'i' then after = at + 6 + tonumber(ARGV[at + 5])
  elseif kind == 't' then after = at + 6
  elseif kind == 's' then after = at + 5 + tonumber(ARGV[at + 4]) * (2 + 2 * tiers)
  elseif kind == 'r' then after = at + 5 + 2 * tonumber(ARGV[at + 4]) end
  for tier = 0, tiers - 1 do
    local key = KEYS[first + tier]
    if kind == 'c' or kind == 'f' then
      if has_room(key, ARGV[at + 3]) then
        call(kind == 'c' and 'HINCRBY' or 'HINCRBYFLOAT', key, ARGV[at + 3], ARGV[at + 4])
      else
        crowded = crowded + 1
      end
    elseif kind == 't' then
      rank(key, call('ZCARD', key), tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5])
    elseif kind == 'u' then
      call('PFADD', key, unpack(ARGV, at + 4, after - 1))
    elseif kind == 'i' then
      local counts, field = KEYS[first + tiers + tier], ARGV[at + 4]
      local is_new = call('EXISTS', key) == 0
      if is_new and tonumber(call('HGET', counts, field) or 0) >= tonumber(ARGV[at + 3]) then
        crowded = crowded + 1
      else
        if is_new then call('HINCRBY', counts, field, 1) end
        call('PFADD', key, unpack(ARGV, at + 6, after - 1))
      end
    elseif kind == 's' then
      local most, ends = tonumber(ARGV[at + 3]), highest(key, tonumber(ARGV[at + 3]))
      for i = at + 5, after - 1, 2 + 2 * tiers do
        local ranked, times = tonumber(ARGV[i + 1]), i + 2 + 2 * tier
        -- It only goes down: who is above it now is not held, nor will be.
        if ranked <= ends then sample(key, most, ARGV[i], ranked, tonumber(ARGV[times]), tonumber(ARGV[times + 1])) end
      end
    else
      call('ZADD', key, unpack(ARGV, at + 5, after - 1))
      call('ZREMRANGEBYRANK', key, 0, -1 - tonumber(ARGV[at + 3]))
    end
  end
  at = after
end
for i = 2, #KEYS do call('PEXPIREAT', KEYS[i], ARGV[i + 1]) end
return {'added', crowded}
