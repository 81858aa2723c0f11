#!lua flags=no-writes
-- analytics/lists: the first items of several top lists.
-- KEYS  lists…  zsets
-- ARGV  most    int  items of each
-- REPLY {'lists', lists:list}
--       by list how many items it has, its least count, and then item and count, the highest first
-- WHY   how far a list can be off is its least count, which must be of the same moment
-- COST  3 commands a list; O(most) each, 8 lists at most
local found = {}
for i = 1, #KEYS do
  local list = redis.call('ZRANGE', KEYS[i], 0, ARGV[1] - 1, 'REV', 'WITHSCORES')
  local least = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or '0'
  table.insert(list, 1, least)
  table.insert(list, 1, tostring(redis.call('ZCARD', KEYS[i])))
  found[i] = list
end
return {'lists', found}
