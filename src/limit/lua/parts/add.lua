-- Counts the cost by one rule; `life`: how long its key must be kept at least, where that may be longer than it is.
if kind == 102 then
  b = b + cost
  if fresh then life = per end
elseif kind == 115 then
  b = b + cost
  if fresh then life = a + 2 * per - now end
else
  b = b + cost * per
  local ends = now + b / limit
  if ends > c then
    c = ends + per
    life = c - now
  end
end
