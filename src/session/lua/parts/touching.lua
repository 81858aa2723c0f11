-- Begins the idle life anew when ARGV[3] ms of it have passed: each request would otherwise be a write for the replicas too.
local ends, touched = math.min(seen + ARGV[2], last), 0
if now - seen >= tonumber(ARGV[3]) then
  ends, touched = math.min(now + ARGV[2], last), 1
  meta = string.sub(meta, 1, 56) .. string.format('%013d', now) .. string.sub(meta, 70)
  fields[at_meta] = meta
  call('HSET', KEYS[1], 'meta', meta)
  call('PEXPIREAT', KEYS[1], string.format('%d', ends))
end
