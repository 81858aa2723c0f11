local at = before + 3 * i
local limit, per, most = tonumber(ARGV[at - 2]), tonumber(ARGV[at - 1]), tonumber(ARGV[at])
local kind, fresh = string.byte(ARGV[first + i]), false
local a, b, c = 0, 0, 0
if stored[i + 1] then a, b, c = read('<ddd', stored[i + 1]) end
