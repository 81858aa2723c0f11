#!lua
-- session/regenerate: give a session another id; with a login, another user and a new life too.
-- KEYS  session     hash: `meta`, `user` and each field of its data
-- ARGV  id          text, hash of the id
--       idleMs      int
--       dueMs       int, how much of the idle life must have passed before it is begun anew
--       next        text, hash of the new id; the same as id to keep it
--       overlapMs   int, how long the earlier id opens the session still; 0: no earlier one does any more
--       absoluteMs  int
--       epoch       text, of the user who logs in, as it was when the session was entered among his; '' for no login
--       label       text, '' to keep the one it has
--       user        text
--       most        int, bytes that the data may have
--       count       int, how many names with values
--       patch…      bytes, names and values in turns, then the names to remove
-- REPLY {'session', expiresAtMs:int, touched:int, previousUser:text, lines:text} | {'superseded', expiresAtMs:int, touched:int, lines:text}
--       | {'too-large', size:int} | {'gone'}
-- WHY   one step in one hash: there is no moment at which neither id or both for good open the session. Whoever comes with an earlier id
--       gets the session and no new id, or whoever stole that one could stay; with a login he gets nothing.
-- COST  O(fields); at most four earlier ids are kept
local call, format = redis.call, string.format
-- PUT fields
-- PUT standing
local owner = call('HGET', KEYS[1], 'user')
local label, previous = string.match(owner or '', '^%d+\t([^\t]*)\t(.*)$')
-- A repeat of a call that was carried out: the new id is known to nobody else.
if current and current == ARGV[4] and opens ~= 'current' then
  return {'session', math.min(seen + ARGV[2], last), 0, previous or '', table.concat(fields, '\n')}
end
if not opens or opens == 'old' and ARGV[7] ~= '' then return {'gone'} end
-- PUT patching
local size
fields, size = patch(ARGV[10], tonumber(ARGV[11]), 12)
if not fields then return {'too-large', size} end
if opens == 'old' then
  -- PUT touching
  return {'superseded', ends, touched, table.concat(fields, '\n')}
end
if ARGV[4] ~= ARGV[1] then
  local kept, overlap = {}, tonumber(ARGV[5])
  if overlap > 0 then
    kept[1] = format('%s:%d;', ARGV[1], now + overlap)
    for entry, till in string.gmatch(old, '([^;]+:(%d+);)') do
      if tonumber(till) > now and #kept < 4 then kept[#kept + 1] = entry end
    end
  end
  meta = ARGV[4] .. string.sub(meta, 44, 82) .. table.concat(kept)
end
if ARGV[7] ~= '' then
  last, seen = now + ARGV[6], 0
  meta = string.sub(meta, 1, 43) .. format('%013d%013d%013d', now, now, last) .. string.sub(meta, 83)
  local login = ARGV[7] .. '\t' .. (ARGV[8] ~= '' and ARGV[8] or label or '') .. '\t' .. ARGV[9]
  call('HSET', KEYS[1], 'user', login)
  fields[#fields + 1] = 'user'
  fields[#fields + 1] = login
end
fields[at_meta] = meta
call('HSET', KEYS[1], 'meta', meta)
-- PUT touching
return {'session', ends, touched, previous or '', table.concat(fields, '\n')}
