-- A gate lets in as many as fit: readers or one writer, the permits of a semaphore. One hash, so that a Cluster that moves its slot
-- never finds half of it. Reads: call, sub, format, capacity, tokens.
--   u  permits in use          f  the last fence          n  no lease ends before this moment
--   a  number of the first in line          z  number of the next who comes
--   h<token>   state(1) fence(16) expiresMs(13) permits(7) inbox(22) owner    state: h held, g given to a waiter who has not spoken yet
--   w<number>  aliveMs(13) ttlMs(13) permits(7) token(22) inbox(22) owner     p<token>  a waiter's number
-- It is kept for an hour after the last use, so that fences rise also when the server's clock is set back by up to that.
local KEEP_MS = 3600000
-- A waiter who was let in says within this that he lives, or the next is let in.
local GRACE_MS = 1000
-- So many waiters are looked at for one call at most.
local MOST = 64

local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local used, last, nearest, first, after
local silent, grants, latest = {}, {}, 0

local function read_gate()
  local gate = call('HMGET', KEYS[1], 'u', 'f', 'n', 'a', 'z')
  used, last, nearest = tonumber(gate[1] or 0), tonumber(gate[2] or 0), tonumber(gate[3] or 0)
  first, after = tonumber(gate[4] or 1), tonumber(gate[5] or 1)
end

-- What cannot be read is as if it had ended: one odd field must not close the gate.
local function expires_of(holder) return tonumber(sub(holder, 18, 30)) or 0 end
local function permits_of(holder) return tonumber(sub(holder, 31, 37)) or 0 end

local function write_holder(state, fence, token, expires, permits, rest)
  call('HSET', KEYS[1], 'h' .. token, format('%s%016.0f%013.0f%07.0f%s', state, fence, expires, permits, rest))
  if expires < nearest or nearest == 0 then nearest = expires end
  if expires > latest then latest = expires end
end

-- Ends every lease whose time is over. All holders are read, but only when one of them may be due.
local function end_due()
  if nearest == 0 or nearest > now then return end
  nearest, used = 0, 0
  local fields = call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if sub(fields[i], 1, 1) == 'h' then
      local expires = expires_of(fields[i + 1])
      if expires > now then
        used = used + permits_of(fields[i + 1])
        if nearest == 0 or expires < nearest then nearest = expires end
      else
        -- He let lapse what he was given: his process is dead or stands still, and its other waiters are passed over.
        if sub(fields[i + 1], 1, 1) == 'g' then silent[sub(fields[i + 1], 38, 59)] = true end
        call('HDEL', KEYS[1], fields[i])
      end
    end
  end
end

-- Lets in from the front of the line as many as fit; whoever does not fit holds up those behind him, or he would wait for ever.
local function let_in()
  for _ = 1, MOST do
    if first >= after then break end
    local field = format('w%.0f', first)
    local line = call('HGET', KEYS[1], field)
    if line then
      local permits, token, inbox = tonumber(sub(line, 27, 33)), sub(line, 34, 55), sub(line, 56, 77)
      local lives = tonumber(sub(line, 1, 13)) > now and not silent[inbox]
      if lives and used + permits > capacity then break end
      call('HDEL', KEYS[1], field, 'p' .. token)
      if lives then
        local lease = math.min(tonumber(sub(line, 14, 26)), GRACE_MS)
        last, used = math.max(last + 1, micros), used + permits
        write_holder('g', last, token, now + lease, permits, sub(line, 56))
        grants[#grants + 1] = {inbox, format('granted %s %.0f %.0f %.0f', token, last, now, lease)}
      end
    end
    first = first + 1
  end
end

-- Writes what was counted, and then tells those who were let in.
local function save(channel)
  if first >= after then first, after = 1, 1 end
  local number = function(value) return format('%.0f', value) end
  call('HSET', KEYS[1], 'u', number(used), 'f', number(last), 'n', number(nearest), 'a', number(first), 'z', number(after))
  local keep = number(math.max(latest - now, 0) + KEEP_MS)
  if call('PEXPIRE', KEYS[1], keep, 'GT') == 0 then call('PEXPIRE', KEYS[1], keep, 'NX') end
  for i = 1, #grants do call('PUBLISH', channel .. grants[i][1], grants[i][2]) end
end
