#!lua
-- cache/put-many: write entries, and void any load of them that is under way, but for those that are being changed.
-- KEYS  entries…  by entry three: its value, string, expires; its lease, string; its fences
-- ARGV  channel   text   where waiting processes listen, or '' when none can wait
--       frames…   bytes  by entry two: its life in ms; its frame
-- REPLY {'written'} | {'mixed', outcomes…:text}   written: all of them; mixed, by entry: 'written' | 'fenced'
-- WHY   as put; who writes many has read them a while ago, and of what is changed meanwhile the old value
-- COST  O(entries), at most 4 commands each
local fenced = 0
local outcomes = {'mixed'}
local voided = {}
for i = 1, #KEYS, 3 do
  local at = 2 * #outcomes
  if redis.call('EXISTS', KEYS[i + 2]) == 1 then
    fenced = fenced + 1
    outcomes[#outcomes + 1] = 'fenced'
  else
    redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[at])
    if redis.call('DEL', KEYS[i + 1]) == 1 and ARGV[1] ~= '' then
      voided[#voided + 1] = KEYS[i]
    end
    outcomes[#outcomes + 1] = 'written'
  end
end
for _, key in ipairs(voided) do
  redis.call('PUBLISH', ARGV[1], key)
end
if fenced == 0 then
  return {'written'}
end
return outcomes
