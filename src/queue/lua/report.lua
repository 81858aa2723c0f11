#!lua
-- queue/report: how far a job is.
-- KEYS  progress  string, what its handler last said
-- ARGV  keepMs   int
--       value    bytes
--       channel  text, of those who wait for this job
-- REPLY {'reported'}
-- WHY   nothing is decided by it: whoever asks is told the latest
-- COST  two commands
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
redis.call('PUBLISH', ARGV[3], 'progress')
return {'reported'}
