#!lua flags=no-writes
-- geo/stand: whether places are, or may still come to be, where cells say.
-- KEYS  at       hash  by id where it is
-- ARGV  lostS    int    how old the stamp of an entry is, in s, that nobody will confirm any more
--       entries…  bytes  by entry its id, and where a cell says that it is (24 bytes)
-- REPLY {'stand', verdicts…:int}
--       verdicts: 1 it is there; 0 it is not, or not yet; -1 it is not, and will not be: the cell should forget it
-- WHY   a move may break off between its steps. Its clock is that of swap, which refuses what is half as old: no entry is lost and then
--       confirmed
-- COST  1 command an entry, 1.6 µs; 500 entries at most
local now = tonumber(redis.call('TIME')[1])
local reply = {'stand'}
for i = 2, #ARGV, 2 do
  local entry = ARGV[i + 1]
  local is_lost = math.abs(now - struct.unpack('<I4', entry, 17)) > tonumber(ARGV[1])
  reply[#reply + 1] = redis.call('HGET', KEYS[1], ARGV[i]) == entry and 1 or is_lost and -1 or 0
end
return reply
