-- One rule whose state is three numbers, as of now; `fits` becomes false where `cost` does not. Of a, b and c:
--   f  a: when its window began, b: admitted in it
--   s  a: when the window of the clock began, b: admitted in it, c: in the one before
--   g  a: when it was looked at, b: what is not yet worked off, in units of which a cost of 1 is `per`, and `limit` go a µs, c: up to
--      when its key is kept
--   b  the same
-- Whole numbers up to 2^53, and what is larger, rounded to 16 digits. A clock that was set back makes nothing last longer than anew.
-- `fresh`: the key may have to be kept for longer.
if kind == 102 then
  if b == 0 or now >= a + per then
    a, b, fresh = now, 0, true
  elseif a > now then
    a = now
  end
  if b + cost > most then fits = false end
elseif kind == 103 or kind == 98 then
  if now > a then
    b = b - (now - a) * limit
    if b < 0 then b = 0 end
  end
  a = now
  if b + cost * per > most * per then fits = false end
elseif kind == 115 then
  local window = now - now % per
  if a > window then
    window = a
  elseif a == window - per then
    b, c, fresh = 0, b, true
  elseif a < window then
    b, c, fresh = 0, 0, true
  end
  a = window
  local elapsed = now > window and now - window or 0
  if c * (per - elapsed) + (b + cost) * per > most * per then fits = false end
end
