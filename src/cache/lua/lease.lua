#!lua
-- cache/lease: for each entry, its value if there is one by now, else the right to load it, granted or another's.
-- KEYS  entries…  by entry three: its value, string; its lease, string, the holder's token and '+' once somebody waits; its fences
-- ARGV  token    text   22 letters, the caller's own
--       leaseMs  int    how long a grant lasts unless it is renewed
--       read     text   'none': the caller has just looked; 'instead': answer a value rather than the right to load it;
--                       'beside': answer it beside that right
--       waits    text   '1': mark a lease of another's, so that its end is published; '0': share it
-- REPLY {'granted'} | {'mixed', answers…:bytes}   granted: all of them; mixed, by entry two: 'value', the frame |
--       'granted', '' or the frame | 'held', the other's token and the frame or nothing | 'fenced', ''
-- WHY   a fill is accepted only while its lease stands, and every invalidation deletes the lease: so no value that was
--       loaded before an invalidation can be written after it (Nishtala et al. 2013, leases)
--       Whoever shares a lease starts it anew: it may be the rest of a load that has failed. A value of another type is foreign, and
--       a miss. A value beside the right to load it was not invalidated before the grant: read apart, it might have been.
--       Where there is a fence nothing may be stored, so there is no lease.
-- COST  O(entries), at most 4 commands each
local others
for i = 1, #KEYS, 3 do
  local word, payload = 'granted', ''
  local value = ARGV[3] ~= 'none' and redis.pcall('GET', KEYS[i])
  if ARGV[3] == 'instead' and type(value) == 'string' then
    word, payload = 'value', value
  elseif redis.call('EXISTS', KEYS[i + 2]) == 1 then
    word = 'fenced'
  else
    payload = type(value) == 'string' and value or ''
    local other = redis.call('SET', KEYS[i + 1], ARGV[1], 'NX', 'GET', 'PX', ARGV[2])
    -- Its own token: the answer to a first try was lost on the way.
    if other and string.sub(other, 1, 22) ~= ARGV[1] then
      if ARGV[4] == '0' then
        redis.call('PEXPIRE', KEYS[i + 1], ARGV[2])
      elseif string.sub(other, -1) ~= '+' then
        redis.call('SET', KEYS[i + 1], other .. '+', 'KEEPTTL')
      end
      word, payload = 'held', string.sub(other, 1, 22) .. payload
    end
  end
  if (word ~= 'granted' or payload ~= '') and not others then
    others = {'mixed'}
    for _ = 1, i - 1, 3 do
      others[#others + 1] = 'granted'
      others[#others + 1] = ''
    end
  end
  if others then
    others[#others + 1] = word
    others[#others + 1] = payload
  end
end
if others then
  return others
end
return {'granted'}
