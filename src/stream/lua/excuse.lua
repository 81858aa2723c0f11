#!lua flags=allow-oom
-- stream/excuse: the lease of a consumer ended while its process was there to renew it, and nobody heard it: what it had is blamed on nobody.
-- KEYS  state       hash, layout and more
--       leases      zset, consumers by the end of their leases
--       dead        zset, ids by when they died
--       bodies      hash, envelopes of those that are in no lane
--       deadBodies  hash, reasons, errors, envelopes
--       ids         hash, ids that users gave
--       idle        zset, processes that want to be told
--       wake        list, a token for a process that blocks until it is told
--       lanes…      streams, in the order of the layout, and what may follow; see parts/place
-- ARGV  layout    text, the priorities of the lanes as the caller knows them
--       channel   text, what the channels of processes begin with
--       consumer  text
--       group     int, jobs of one group that may run at the same time
--       alone     text, the entry of what it ran alone, or ''
--       jobs…     text, what it had, by three: lane, entry, id or ''
-- REPLY {'excused', count:int} | {'layout', layout:text}
-- WHY   only the process knows whether it was there. A lease whose jobs are still its own ended for no fault (-2): they are given out as they were given
--       to it. Where others have them by now, the death is taken back, once: `blamed` names the last 256 consumers that were blamed, and this one is
--       struck out, so this may be sent again. What was buried for it lives again, with its attempts
-- COST  four commands, one a lane; where others have its jobs two each, at most 1,000
local call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format
local LANES, DELCONSUMER, idle, wake, channel, me, group_most = 8, 'DELCONSUMER', KEYS[7], KEYS[8], ARGV[2], ARGV[3], tonumber(ARGV[4])
local known = call('HMGET', KEYS[1], 'layout', 'blamed')
local layout, blamed = known[1] or '', ' ' .. (known[2] or '')
if layout ~= ARGV[1] then return {'layout', layout} end
local clock = call('TIME')
local now = math.floor(clock[1] * 1000 + clock[2] / 1000)
local alone, lease, count = me .. '!', call('ZSCORE', KEYS[2], me), 0
-- PUT ring
-- PUT envelope
-- PUT place
if lease then call('ZADD', KEYS[2], -2, me) end

local function strike_out(name)
  local at = string.find(blamed, ' ' .. name .. ' ', 1, true)
  if at then blamed = sub(blamed, 1, at) .. sub(blamed, at + #name + 2) end
  return at ~= nil
end
local is_blamed = { [me] = strike_out(me), [alone] = strike_out(alone) }
if is_blamed[me] or is_blamed[alone] then call('HSET', KEYS[1], 'blamed', sub(blamed, 2)) end

-- With one crash less. What two are blamed on is given out alone.
local function hand_back(lane, entry, crashes)
  local back = crashes >= 2 and '!' or '~'
  call('XCLAIM', lane, 'g', back, 0, entry, 'RETRYCOUNT', crashes, 'JUSTID')
  call('ZADD', KEYS[2], back == '!' and '+inf' or 0, back)
end

-- Of a child also the parents that are dead for it: they look again.
local function revive(id, why)
  local body = call('HGET', KEYS[5], id)
  local reason = body and sub(body, 2, 1 + byte(body, 1))
  if reason ~= why then return end
  local start = 2 + #reason
  local envelope = sub(body, start + 7 + tonumber(sub(body, start, start + 6)))
  if is_named(envelope) and call('HSETNX', KEYS[6], id, '1') == 0 then return end
  call('ZREM', KEYS[3], id)
  call('HDEL', KEYS[5], id)
  place(sub(envelope, 1, 1) .. char(math.max(0, byte(envelope, 2) - 1)) .. sub(envelope, 3), nil, true)
  count = count + 1
  local parent = string.match(id, '^(.+)@0@%d+$')
  if parent then revive(parent, 'child') end
end

local function take_back(lane, entry, id)
  local blames = is_blamed[entry == ARGV[5] and alone or me]
  local one = call('XPENDING', lane, 'g', entry, entry, 1)[1]
  if not one then
    if blames and id ~= '' then revive(id, 'crash') end
    return
  end
  local owner, times = one[2], one[4]
  if owner == alone or (owner == me and not lease) then
    hand_back(lane, entry, math.max(0, times - 1))
  elseif blames and owner == '!' then
    -- Its last crash was not counted again as it came here.
    hand_back(lane, entry, 1)
  elseif blames and owner == '~' then
    hand_back(lane, entry, math.max(0, times - 1))
  elseif blames and owner ~= me then
    call('XCLAIM', lane, 'g', owner, 0, entry, 'RETRYCOUNT', times - 1, 'JUSTID')
  else
    return
  end
  count = count + 1
end

for i = 6, #ARGV, 3 do take_back(KEYS[LANES + ARGV[i]], ARGV[i + 1], ARGV[i + 2]) end
if call('ZREM', KEYS[2], alone) == 1 then
  for i = 1, lanes do
    local lane = KEYS[LANES + i]
    for _, one in ipairs(call('XPENDING', lane, 'g', '-', '+', 10, alone)) do hand_back(lane, one[1], one[4] - 1) end
    call('XGROUP', DELCONSUMER, lane, 'g', alone)
  end
end
if lease or count > 0 then ring() end
return {'excused', count}
