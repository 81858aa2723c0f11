#!lua flags=no-writes
-- stream/recall: what came of a batch whose last call was refused by a full server.
-- KEYS  receipt  string, the producer's last batch and what came of it
--       ids      hash, ids that users gave
-- ARGV  batch  int
--       ids…   text, of its jobs that are not plain: the user's, or ''
-- REPLY {'added', plain:int, words:text} | {'absent', words:text}
-- WHY   a call before it may have added all of them, and its answer been lost. And one whose id exists need not be added
--       Words are as of add; of `absent` a letter for each of the others: x one with this id exists, f none does
-- COST  a command, and one for each id
local call = redis.call
local batch, plain, words = string.match(call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%w*)$')
if batch and tonumber(batch) >= tonumber(ARGV[1]) then return {'added', tonumber(plain), words} end
words = {}
for i = 2, #ARGV do words[i - 1] = ARGV[i] ~= '' and call('HGET', KEYS[2], ARGV[i]) and 'x' or 'f' end
return {'absent', table.concat(words)}
