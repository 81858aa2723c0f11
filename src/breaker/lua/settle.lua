#!lua flags=allow-oom
-- breaker/settle: end a trial, and close or open by how it went.
-- KEYS  circuit  hash
-- ARGV  token       text  of the trial
--       verdict     text  ok: close; failed: open anew; left: free the place
--       cooldownMs  int
--       keepMs      int
-- REPLY {'closed', era:int} | {'open', era:int, leftMs:int} | {'trying', era:int, leftMs:int} | {'due', era:int}
-- WHY   Only who has the place decides: who was too slow has lost it to another.
-- COST  O(1): at most 5 commands
-- PUT circuit
-- PUT change
if trial == ARGV[1] then
  if ARGV[2] == 'ok' then
    change(0, ARGV[4])
  elseif ARGV[2] == 'failed' then
    change(now + tonumber(ARGV[3]), ARGV[4])
  else
    redis.call('HDEL', KEYS[1], 'trial', 'tried')
    trial = ''
  end
end
return answer()
