// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** count calls that have ended, open where a rule is broken, and tell how it stands. */
export const reportScript = defineScript<{ readonly circuit: Key }, { readonly era: number; readonly ok: number; readonly failed: number; readonly slow: number; readonly failures: number; readonly failureRate: string; readonly slowRate: string; readonly minCalls: number; readonly windowMs: number; readonly cooldownMs: number; readonly keepMs: number }, ReportReply>({
  name: 'breaker/report',
  sha: '9fa7ca2954a0caae719073fde4365d407c73abf9',
  flags: [],
  keys: ["circuit"],
  args: ["era","ok","failed","slow","failures","failureRate","slowRate","minCalls","windowMs","cooldownMs","keepMs"],
  replies: {"closed":["int"],"open":["int","int"],"trying":["int","int"],"due":["int"]},
  lua: "#!lua\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal stored = redis.call('HMGET', KEYS[1], 'era', 'open', 'row', 'trial', 'tried')\nlocal era, open, row = tonumber(stored[1] or 0), tonumber(stored[2] or 0), tonumber(stored[3] or 0)\nlocal trial, tried = stored[4] or '', tonumber(stored[5] or 0)\nlocal function answer()\n  if open == 0 then return {'closed', era} end\n  if now < open then return {'open', era, open - now} end\n  if trial ~= '' and now < tried then return {'trying', era, tried - now} end\n  return {'due', era}\nend\nlocal function change(untilMs, keepMs)\n  era, open, trial = math.max(era + 1, now), untilMs, ''\n  redis.call('HSET', KEYS[1], 'era', string.format('%.0f', era), 'open', string.format('%.0f', open), 'row', 0)\n  redis.call('HDEL', KEYS[1], 'trial', 'tried', 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')\n  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keepMs + math.max(0, untilMs - now)))\nend\nlocal ok, failed, slow = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])\nif ok + failed == 0 or open > 0 or tonumber(ARGV[1]) ~= era then return answer() end\nlocal failures, failureRate, slowRate = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])\nlocal slice = math.floor(now / (tonumber(ARGV[9]) / 10))\nlocal fields = redis.call('HMGET', KEYS[1], 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')\nlocal calls, bad, late, own = ok + failed, failed, slow, { ok + failed, failed, slow }\nfor i = 1, 10 do\n  if fields[i] then\n    local at, c, f, s = string.match(fields[i], '^(%d+):(%d+):(%d+):(%d+)$')\n    at = tonumber(at)\n    if at and at > slice - 10 and at <= slice then\n      calls, bad, late = calls + c, bad + f, late + s\n      if at == slice then own = { own[1] + c, own[2] + f, own[3] + s } end\n    end\n  end\nend\nif ok > 0 then row = 0 end\nrow = row + failed\nlocal broken = failures > 0 and row >= failures\nif calls >= tonumber(ARGV[8]) then\n  broken = broken or failureRate > 0 and bad / calls >= failureRate or slowRate > 0 and late / calls >= slowRate\nend\nif broken then\n  change(now + tonumber(ARGV[10]), ARGV[11])\n  return answer()\nend\nredis.call('HSET', KEYS[1], 'era', string.format('%.0f', era), 'row', row, 'w' .. slice % 10,\n  string.format('%.0f:%.0f:%.0f:%.0f', slice, own[1], own[2], own[3]))\nredis.call('PEXPIRE', KEYS[1], ARGV[11])\nreturn answer()\n",
})
export type ReportReply = readonly [word: 'closed', era: number] | readonly [word: 'open', era: number, leftMs: number] | readonly [word: 'trying', era: number, leftMs: number] | readonly [word: 'due', era: number]

/** open or close, whatever was counted. */
export const setScript = defineScript<{ readonly circuit: Key }, { readonly openMs: number; readonly keepMs: number }, SetReply>({
  name: 'breaker/set',
  sha: '2c15df0f06a601b41ff59cfd2e4285e47a1d7813',
  flags: [],
  keys: ["circuit"],
  args: ["openMs","keepMs"],
  replies: {"closed":["int"],"open":["int","int"],"trying":["int","int"],"due":["int"]},
  lua: "#!lua\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal stored = redis.call('HMGET', KEYS[1], 'era', 'open', 'row', 'trial', 'tried')\nlocal era, open, row = tonumber(stored[1] or 0), tonumber(stored[2] or 0), tonumber(stored[3] or 0)\nlocal trial, tried = stored[4] or '', tonumber(stored[5] or 0)\nlocal function answer()\n  if open == 0 then return {'closed', era} end\n  if now < open then return {'open', era, open - now} end\n  if trial ~= '' and now < tried then return {'trying', era, tried - now} end\n  return {'due', era}\nend\nlocal function change(untilMs, keepMs)\n  era, open, trial = math.max(era + 1, now), untilMs, ''\n  redis.call('HSET', KEYS[1], 'era', string.format('%.0f', era), 'open', string.format('%.0f', open), 'row', 0)\n  redis.call('HDEL', KEYS[1], 'trial', 'tried', 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')\n  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keepMs + math.max(0, untilMs - now)))\nend\nlocal openMs = tonumber(ARGV[1])\nchange(openMs > 0 and now + openMs or 0, ARGV[2])\nreturn answer()\n",
})
export type SetReply = readonly [word: 'closed', era: number] | readonly [word: 'open', era: number, leftMs: number] | readonly [word: 'trying', era: number, leftMs: number] | readonly [word: 'due', era: number]

/** end a trial, and close or open by how it went. */
export const settleScript = defineScript<{ readonly circuit: Key }, { readonly token: string; readonly verdict: string; readonly cooldownMs: number; readonly keepMs: number }, SettleReply>({
  name: 'breaker/settle',
  sha: 'ccce9a6e784e188a500564f77750e4b2a40b3ea1',
  flags: ["allow-oom"],
  keys: ["circuit"],
  args: ["token","verdict","cooldownMs","keepMs"],
  replies: {"closed":["int"],"open":["int","int"],"trying":["int","int"],"due":["int"]},
  lua: "#!lua flags=allow-oom\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal stored = redis.call('HMGET', KEYS[1], 'era', 'open', 'row', 'trial', 'tried')\nlocal era, open, row = tonumber(stored[1] or 0), tonumber(stored[2] or 0), tonumber(stored[3] or 0)\nlocal trial, tried = stored[4] or '', tonumber(stored[5] or 0)\nlocal function answer()\n  if open == 0 then return {'closed', era} end\n  if now < open then return {'open', era, open - now} end\n  if trial ~= '' and now < tried then return {'trying', era, tried - now} end\n  return {'due', era}\nend\nlocal function change(untilMs, keepMs)\n  era, open, trial = math.max(era + 1, now), untilMs, ''\n  redis.call('HSET', KEYS[1], 'era', string.format('%.0f', era), 'open', string.format('%.0f', open), 'row', 0)\n  redis.call('HDEL', KEYS[1], 'trial', 'tried', 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8', 'w9')\n  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keepMs + math.max(0, untilMs - now)))\nend\nif trial == ARGV[1] then\n  if ARGV[2] == 'ok' then\n    change(0, ARGV[4])\n  elseif ARGV[2] == 'failed' then\n    change(now + tonumber(ARGV[3]), ARGV[4])\n  else\n    redis.call('HDEL', KEYS[1], 'trial', 'tried')\n    trial = ''\n  end\nend\nreturn answer()\n",
})
export type SettleReply = readonly [word: 'closed', era: number] | readonly [word: 'open', era: number, leftMs: number] | readonly [word: 'trying', era: number, leftMs: number] | readonly [word: 'due', era: number]

/** take the place of the one call that is tried. */
export const tryScript = defineScript<{ readonly circuit: Key }, { readonly token: string; readonly tryMs: number; readonly keepMs: number }, TryReply>({
  name: 'breaker/try',
  sha: '16b1cd65657076bf7a06894696ae265d6cc56747',
  flags: [],
  keys: ["circuit"],
  args: ["token","tryMs","keepMs"],
  replies: {"trial":["int"],"closed":["int"],"open":["int","int"],"trying":["int","int"],"due":["int"]},
  lua: "#!lua\nlocal clock = redis.call('TIME')\nlocal now = clock[1] * 1000 + math.floor(clock[2] / 1000)\nlocal stored = redis.call('HMGET', KEYS[1], 'era', 'open', 'row', 'trial', 'tried')\nlocal era, open, row = tonumber(stored[1] or 0), tonumber(stored[2] or 0), tonumber(stored[3] or 0)\nlocal trial, tried = stored[4] or '', tonumber(stored[5] or 0)\nlocal function answer()\n  if open == 0 then return {'closed', era} end\n  if now < open then return {'open', era, open - now} end\n  if trial ~= '' and now < tried then return {'trying', era, tried - now} end\n  return {'due', era}\nend\nif open > 0 and now >= open and (trial == '' or trial == ARGV[1] or now >= tried) then\n  redis.call('HSET', KEYS[1], 'trial', ARGV[1], 'tried', string.format('%.0f', now + tonumber(ARGV[2])))\n  redis.call('PEXPIRE', KEYS[1], ARGV[3])\n  return {'trial', era}\nend\nreturn answer()\n",
})
export type TryReply = readonly [word: 'trial', era: number] | readonly [word: 'closed', era: number] | readonly [word: 'open', era: number, leftMs: number] | readonly [word: 'trying', era: number, leftMs: number] | readonly [word: 'due', era: number]
