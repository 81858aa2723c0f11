-- Whether the session stands, and whether the id of the hash ARGV[1] opens it; ARGV[2] is the idle life in ms. Makes: now, seen, last (the
-- end of its absolute life), current (the hash of its id), old, opens (nil, 'current' or 'old').
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local meta = call('HMGET', KEYS[1], 'id', 'old', 'seen', 'last')
local current, old, seen, last = meta[1], meta[2] or '', tonumber(meta[3]), tonumber(meta[4])
local opens
-- The key's own end says the same, unless the idle life has been made shorter since.
if current and seen and last and now < math.min(seen + ARGV[2], last) then
  if current == ARGV[1] then
    opens = 'current'
  else
    -- Earlier ids that open it for a little longer: `<hash>:<until>;` each.
    local _, at = string.find(old, ARGV[1], 1, true)
    local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))
    if till and now < till then opens = 'old' end
  end
end
