#!lua
-- stream/add: put jobs in, a batch of one producer.
-- KEYS  state    hash, layout and more
--       receipt  string, the producer's last batch and what came of it
--       delayed  zset, ids by when they are due
--       bodies   hash, their envelopes
--       ids      hash, ids that users gave
--       idle     zset, processes that want to be told
--       plains   stream of the priority 0
--       wake     list, a token for a process that blocks until it is told
--       kept     zset, ids that are refused although their jobs are done, by until when
--       lanes…   streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout   text, the priorities of the lanes as the caller knows them
--       channel  text, what the channels of processes begin with
--       batch    int, one more than that of the batch before
--       keepMs   int, how long a repeat of this batch may still come
--       length   int, jobs that there may be; 0: any number
--       whole    int, 1: all of them or none
--       group    int, jobs of one group that may run at the same time
--       plain    int, envelopes that come first: due now, of the priority 0, with an id of the producer's
--       jobs…    bytes, the plain ones; then by four: kind (in, at; with a rule before it: keep, last, root, with), ms (-1: it waits for its children), the user's id or '', envelope
-- REPLY {'added', plain:int, words:text} | {'full', length:int} | {'layout', layout:text}
-- WHY   a call that is sent again after a lost answer must add nothing twice: the receipt holds the answer of the last batch, one small
--       key a producer instead of an id a job
--       Words are a letter for each of the others: a added, x one with this id exists, f full; of the rule `last` also 1 to 9: added under its id
--       and this number, A to J: in the place of one that waited for its time, under its id (A) or that and a number
-- COST  half a µs a job; six commands more; for the rule `keep` one, for `last` ten
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local idle, wake, channel = KEYS[6], KEYS[8], ARGV[2]
local receipt = call('GET', KEYS[2])
if receipt then
  local batch, plain, words = string.match(receipt, '^(%d+) (%d+) (%w*)$')
  if tonumber(batch) >= tonumber(ARGV[3]) then
    -- Written again, so that who waits for replicas waits for this very answer.
    call('SET', KEYS[2], receipt, 'PX', ARGV[4])
    return {'added', tonumber(plain), words}
  end
end
local layout = call('HGET', KEYS[1], 'layout') or ''
if layout ~= ARGV[1] then return {'layout', layout} end
local LANES, plain, first = 9, tonumber(ARGV[8]), 9
-- PUT length
local length, wanted = tonumber(ARGV[5]), plain + (#ARGV - 8 - plain) / 4
local left = room_of(length, KEYS[3])
local function exists(id) return id ~= '' and call('HGET', KEYS[5], id) end
if left < wanted then
  -- What exists already needs no room.
  local existing = 0
  for i = first + plain, #ARGV, 4 do
    if exists(ARGV[i + 2]) then existing = existing + 1 end
  end
  if left < wanted - existing and (ARGV[6] == '1' or (left <= 0 and existing == 0)) then return {'full', length - left} end
end
if plain > left then plain = math.max(0, left) end
for i = first, first + plain - 1 do call('XADD', KEYS[7], '*', 'j', ARGV[i]) end
left = left - plain
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
local words, ready = {}, plain > 0
first = first + tonumber(ARGV[8])
if first <= #ARGV then
  local group_most = tonumber(ARGV[7])
  -- PUT envelope
  -- PUT place
  -- PUT parent
  local root
  -- What holds of an id beyond that no two jobs have it. `keep`: it is refused for a time after its job was done. `last`: one of it that waits
  -- for its time gives way; where it runs, or waits for its turn, the next goes under the id and a number, so that the last is never left out.
  -- `root` is a parent, and `with` what is added with it, or not at all.
  local function by_rule(rule, due, id, envelope)
    if rule == 'root' or rule == 'with' then return (rule == 'root' or root == 'a') and 'a' or 'x', id, envelope end
    if rule == 'keep' then
      local last = call('ZSCORE', KEYS[9], id)
      return last and tonumber(last) > now and 'x' or 'a', id, envelope
    end
    local free
    for n = 0, 9 do
      local one = n == 0 and id or id .. '@' .. n
      local waits = call('ZSCORE', KEYS[3], one)
      if waits and tonumber(waits) < AWAITED then
        call('HSET', KEYS[4], one, sub(envelope, 1, 2) .. char(#one) .. one .. sub(envelope, 4 + #id))
        call('ZADD', KEYS[3], format('%.0f', due), one)
        return char(65 + n)
      end
      if not free and call('HEXISTS', KEYS[5], one) == 0 then free = n end
    end
    if not free then return 'x' end
    if free == 0 then return 'a', id, envelope end
    local one = id .. '@' .. free
    return tostring(free), one, sub(envelope, 1, 2) .. char(#one) .. one .. sub(envelope, 4 + #id)
  end
  for i = first, #ARGV, 4 do
    local kind, due, id, envelope, word = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], 'a'
    local rule = #kind > 2 and sub(kind, 1, 4)
    if due < 0 then due = AWAITED elseif sub(kind, -2) == 'in' then due = now + due end
    if rule then word, id, envelope = by_rule(rule, due, id, envelope) end
    if word == 'x' then
      -- By its rule.
    elseif not id then
      ready = true
    elseif left <= 0 then
      word = exists(id) and 'x' or 'f'
    elseif id ~= '' and call('HSETNX', KEYS[5], id, '1') == 0 then
      word = 'x'
    else
      left = left - 1
      if due <= now then
        place(envelope)
      else
        id = id_of(envelope)
        call('HSET', KEYS[4], id, envelope)
        call('ZADD', KEYS[3], format('%.0f', due), id)
      end
      -- Also a new first of those that wait for their time: who sleeps until the old one must know.
      ready = true
    end
    if rule == 'root' then root = word end
    words[#words + 1] = word
  end
end
words = table.concat(words)
call('SET', KEYS[2], ARGV[3] .. ' ' .. plain .. ' ' .. words, 'PX', ARGV[4])
-- PUT ring
if ready then ring() end
return {'added', plain, words}
