#!lua
-- session/regenerate: give a session another id; with a login, another user and a new life too.
-- KEYS  session     hash, what is known of the session and each field of its data
-- ARGV  id          text, hash of the id
--       idleMs      int
--       dueMs       int, how much of the idle life must have passed before it is begun anew
--       next        text, hash of the new id; the same as id to keep it
--       overlapMs   int, how long the earlier id opens the session still; 0: no earlier one does any more
--       login       int, 1 when it gets a user
--       absoluteMs  int
--       user        text
--       label       text, '' to keep the one it has
--       epoch       text, the user's, as it was when the session was entered among his
--       most        int, bytes that the data may have
--       count       int, how many names with values
--       patch…      bytes, names and values in turns, then the names to remove
-- REPLY {'session', expiresAtMs:int, touched:int, previousUser:text, fields:list} | {'superseded', expiresAtMs:int, touched:int, fields:list}
--       | {'too-large', size:int} | {'gone'}
-- WHY   one step in one hash: there is no moment at which neither id or both for good open the session. Whoever comes with an earlier id
--       gets the session and no new id, or whoever stole that one could stay; with a login he gets nothing.
-- COST  O(fields); at most four earlier ids are kept
local call, format = redis.call, string.format
-- PUT standing
local previous = call('HGET', KEYS[1], 'user') or ''
-- A repeat of a call that was carried out: the new id is known to nobody else.
if current and current == ARGV[4] and opens ~= 'current' then
  return {'session', math.min(seen + ARGV[2], last), 0, previous, call('HGETALL', KEYS[1])}
end
if not opens or opens == 'old' and ARGV[6] == '1' then return {'gone'} end
-- PUT patching
local size = patch(ARGV[11], tonumber(ARGV[12]), 13)
if size then return {'too-large', size} end
if opens == 'old' then
  -- PUT touching
  return {'superseded', ends, touched, call('HGETALL', KEYS[1])}
end
if ARGV[4] ~= ARGV[1] then
  local kept, overlap = {}, tonumber(ARGV[5])
  if overlap > 0 then
    kept[1] = format('%s:%d;', ARGV[1], now + overlap)
    for entry, till in string.gmatch(old, '([^;]+:(%d+);)') do
      if tonumber(till) > now and #kept < 4 then kept[#kept + 1] = entry end
    end
  end
  call('HSET', KEYS[1], 'id', ARGV[4], 'old', table.concat(kept))
end
if ARGV[6] == '1' then
  local at = format('%d', now)
  last, seen = now + ARGV[7], 0
  call('HSET', KEYS[1], 'created', at, 'last', format('%d', last), 'user', ARGV[8], 'epoch', ARGV[10])
  if ARGV[9] ~= '' then call('HSET', KEYS[1], 'label', ARGV[9]) end
end
-- PUT touching
return {'session', ends, touched, previous, call('HGETALL', KEYS[1])}
