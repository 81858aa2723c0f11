#!lua flags=allow-oom
-- dirty/claim: take the right to persist, and what is due.
-- KEYS  dirty   sorted set of ids by when they turned dirty
--       due     sorted set of ids by when they are to be persisted
--       writes  hash by id
--       tries   hash by id
--       lease   string, who persists now, expires
-- ARGV  token    text
--       leaseMs  int
--       most     int
--       all      text  '1': also what is not due yet
-- REPLY {'claimed', nextMs:int, records…:bytes} | {'busy', leftMs:int}
--       nextMs: how long until something is due, -1 if nothing is left; records by entry three: id, its record, how often it failed
-- WHY   one persists at a time: so of two writes of an id the later one arrives later
-- COST  O(most · log dirty)
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local other = call('SET', KEYS[5], ARGV[1], 'NX', 'GET', 'PX', ARGV[2])
if other and other ~= ARGV[1] then return {'busy', call('PTTL', KEYS[5])} end
if other then call('PEXPIRE', KEYS[5], ARGV[2]) end
local reply = {'claimed', -1}
local ids = call('ZRANGE', KEYS[2], '-inf', ARGV[4] == '1' and '+inf' or string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do
  local record = call('HGET', KEYS[3], id)
  if record then
    for _, part in ipairs({id, record, call('HGET', KEYS[4], id) or '0'}) do reply[#reply + 1] = part end
  else
    call('ZREM', KEYS[2], id)
    call('ZREM', KEYS[1], id)
  end
end
if #ids == 0 then
  local first = call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  if first[2] then reply[2] = math.max(0, first[2] - now) end
  call('DEL', KEYS[5])
end
return reply
