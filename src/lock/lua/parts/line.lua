-- A lock is one string: a line for who has it, then a line for each who waits, first come first. One key, so that a Cluster that moves
-- its slot never finds half of it. Reads: call, sub, find, format, clock.
--   held     state(1) fence(16) token(22) expiresMs(13) inbox(22) owner    state: h held, g given to a waiter who has not spoken yet
--   free     f fence(16)
--   waiting  aliveMs(13) ttlMs(13) token(22) inbox(22) owner
-- A lock that is free keeps its last fence for an hour, so that fences rise also when the server's clock is set back by up to that.
local KEEP_MS = 3600000
-- A waiter who was given the lock says within this that he lives, or it goes to the next.
local GRACE_MS = 1000
-- So many lines are read for one call at most.
local MOST = 64

local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

local function next_fence(last)
  if micros > last then return micros end
  return last + 1
end

-- state, last fence, end of the lease, queue: each line of it begins with a newline.
local function read_lock(value)
  if not value then return 'f', 0, 0, '' end
  local state, last, queue = sub(value, 1, 1), tonumber(sub(value, 2, 17)), ''
  local stop = find(value, '\n', 18, true)
  if stop then queue = sub(value, stop) end
  if state == 'f' then return state, last, 0, queue end
  return state, last, tonumber(sub(value, 40, 52)), queue
end

local function write_held(state, fence, token, expires, rest)
  local value = format('%s%016.0f%s%013.0f%s', state, fence, token, expires, rest)
  call('SET', KEYS[1], value, 'PX', format('%.0f', expires - now + KEEP_MS))
end

-- Gives the lock to the first waiter who is alive, or frees it. A waiter of the inbox `silent` is passed over: it has just let a lock
-- lapse that it was given, so its process is dead or stands still. Answers token, inbox, fence and lease of who has it now.
local function pass_on(last, queue, silent)
  local at = 1
  for _ = 1, MOST do
    if at > #queue then break end
    local stop = find(queue, '\n', at + 1, true) or #queue + 1
    local line = sub(queue, at + 1, stop - 1)
    at = stop
    local inbox = sub(line, 49, 70)
    if tonumber(sub(line, 1, 13)) > now and inbox ~= silent then
      local lease, token, fence = math.min(tonumber(sub(line, 14, 26)), GRACE_MS), sub(line, 27, 48), next_fence(last)
      write_held('g', fence, token, now + lease, sub(line, 49) .. sub(queue, at))
      return token, inbox, fence, lease
    end
  end
  call('SET', KEYS[1], format('f%016.0f%s', last, sub(queue, at)), 'PX', KEEP_MS)
end

local function tell(channel, token, inbox, fence, lease)
  call('PUBLISH', channel .. inbox, format('granted %s %.0f %.0f %.0f', token, fence, now, lease))
end
