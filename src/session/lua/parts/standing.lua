-- Whether the session of `meta` stands, and whether the id of the hash ARGV[1] opens it; ARGV[2] is the idle life in ms. meta: the hash of the
-- id (43 letters), the moments of its begin, its last touch and the end of its absolute life (13 digits each), then `<hash>:<until>;` for each
-- earlier id that opens it a little longer. Makes: now, current, seen, last, old, opens (nil, 'current' or 'old').
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local current, opens, seen, last, old
if meta then
  current, seen, last = string.sub(meta, 1, 43), tonumber(string.sub(meta, 57, 69)), tonumber(string.sub(meta, 70, 82))
  -- The key's own end says the same, unless the idle life has been made shorter since.
  if seen and last and now < math.min(seen + ARGV[2], last) then
    old = string.sub(meta, 83)
    if current == ARGV[1] then
      opens = 'current'
    elseif old ~= '' then
      local _, at = string.find(old, ARGV[1], 1, true)
      local till = at and tonumber(string.match(old, '^:(%d+);', at + 1))
      if till and now < till then opens = 'old' end
    end
  end
end
