-- What the rules are asked, and their states as they are stored. `before` arguments come before those of the rules.
local call, read, format = redis.call, struct.unpack, string.format
local cost, count = tonumber(ARGV[1]), (#ARGV - before) / 4
local first = before + 3 * count
local stored = call('HMGET', KEYS[1], 'blocked', unpack(ARGV, first + 1))
local blocked, x, y, z, anew = tonumber(stored[1] or 0), {}, {}, {}, {}
local fits, extra, places, past = true, 1, {}, {}
