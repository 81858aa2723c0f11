// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** remove entries, void their loads, and let nothing be loaded into them until the fence is lifted or ends by itself. */
export const fenceScript = defineScript<{ readonly entries: readonly (Key)[] }, { readonly token: string; readonly fenceMs: number; readonly channel: string }, FenceReply>({
  name: 'cache/fence',
  sha: 'aa846df09cadff8bf620a55cb35ad59a58d9edf9',
  flags: ["allow-oom"],
  keys: ["entries…"],
  args: ["token","fenceMs","channel"],
  replies: {"fenced":[]},
  lua: "#!lua flags=allow-oom\nlocal now = redis.call('TIME')\nlocal nowMs = now[1] * 1000 + math.floor(now[2] / 1000)\nlocal voided = {}\nfor i = 1, #KEYS, 3 do\n  redis.call('ZADD', KEYS[i + 2], nowMs + ARGV[2], ARGV[1])\n  redis.call('ZREMRANGEBYSCORE', KEYS[i + 2], '-inf', nowMs)\n  local last = redis.call('ZRANGE', KEYS[i + 2], -1, -1, 'WITHSCORES')\n  redis.call('PEXPIREAT', KEYS[i + 2], last[2])\n  redis.call('UNLINK', KEYS[i])\n  if redis.call('UNLINK', KEYS[i + 1]) == 1 and ARGV[3] ~= '' then\n    voided[#voided + 1] = KEYS[i]\n  end\nend\nfor _, key in ipairs(voided) do\n  redis.call('PUBLISH', ARGV[3], key)\nend\nreturn {'fenced'}\n",
})
export type FenceReply = readonly ['fenced']

/** write what was loaded for each entry whose lease still stands, and end the lease. */
export const fillScript = defineScript<{ readonly pairs: readonly (Key)[] }, { readonly token: string; readonly channel: string; readonly frames: readonly (Buffer | string)[] }, FillReply>({
  name: 'cache/fill',
  sha: 'f4854c9d88c0e9adf012b1cca88069223b42f859',
  flags: [],
  keys: ["pairs…"],
  args: ["token","channel","frames…"],
  replies: {"filled":[],"mixed":["text…"]},
  lua: "#!lua\nlocal voided = 0\nlocal outcomes = {'mixed'}\nfor i = 1, #KEYS, 2 do\n  local lease = redis.call('GET', KEYS[i + 1])\n  local stands = lease and string.sub(lease, 1, 22) == ARGV[1]\n  if stands then\n    redis.call('SET', KEYS[i], ARGV[i + 3], 'PX', ARGV[i + 2])\n    redis.call('DEL', KEYS[i + 1])\n  else\n    voided = voided + 1\n  end\n  outcomes[#outcomes + 1] = stands and 'filled' or 'voided'\n  if ARGV[2] ~= '' and (not stands or #lease > 22) then\n    redis.call('PUBLISH', ARGV[2], KEYS[i])\n  end\nend\nif voided == 0 then\n  return {'filled'}\nend\nreturn outcomes\n",
})
export type FillReply = readonly ['filled'] | readonly [word: 'mixed', ...outcomes: readonly string[]]

/** how it stands with one entry, all at one moment. */
export const inspectScript = defineScript<{ readonly value: Key; readonly lease: Key; readonly fences: Key }, Record<never, never>, InspectReply>({
  name: 'cache/inspect',
  sha: '7ca3d0c9171da3349adc5fe4ac9bce0acda7abed',
  flags: ["no-writes"],
  keys: ["value","lease","fences"],
  args: [],
  replies: {"seen":["bytes","int","text","int","int","int"]},
  lua: "#!lua flags=no-writes\nlocal now = redis.call('TIME')\nlocal nowMs = now[1] * 1000 + math.floor(now[2] / 1000)\nlocal frame = redis.pcall('GET', KEYS[1])\nlocal lease = redis.call('GET', KEYS[2])\nlocal fences = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')\nlocal changes, fenceMs = 0, 0\nfor i = 2, #fences, 2 do\n  if tonumber(fences[i]) > nowMs then\n    changes = changes + 1\n    fenceMs = fences[i] - nowMs\n  end\nend\nreturn {\n  'seen',\n  type(frame) == 'string' and frame or '',\n  redis.call('PTTL', KEYS[1]),\n  lease or '',\n  redis.call('PTTL', KEYS[2]),\n  changes,\n  fenceMs,\n}\n",
})
export type InspectReply = readonly [word: 'seen', frame: Buffer, lifeMs: number, lease: string, leaseMs: number, changes: number, fenceMs: number]

/** give some tags a new epoch, so that no entry that carries an older one is fresh. */
export const invalidateTagsScript = defineScript<{ readonly generation: Key; readonly tags: readonly (Key)[] }, { readonly nonce: string; readonly lifeMs: number }, InvalidateTagsReply>({
  name: 'cache/invalidate-tags',
  sha: '587a6588f9149adc0b1067ea1213515c963dd5cb',
  flags: ["allow-oom"],
  keys: ["generation","tags…"],
  args: ["nonce","lifeMs"],
  replies: {"invalidated":[]},
  lua: "#!lua flags=allow-oom\nlocal last = tonumber(redis.call('GET', KEYS[1]) or '0')\nlocal now = redis.call('TIME')\nlocal generation = string.format('%.0f', math.max(last + 1, now[1] * 1000000 + now[2]))\nredis.call('SET', KEYS[1], generation, 'PX', math.max(ARGV[2], 86400000))\nfor i = 2, #KEYS do\n  redis.call('SET', KEYS[i], generation .. '.' .. ARGV[1], 'PX', ARGV[2])\nend\nreturn {'invalidated'}\n",
})
export type InvalidateTagsReply = readonly ['invalidated']

/** for each entry, its value if there is one by now, else the right to load it, granted or another's. */
export const leaseScript = defineScript<{ readonly entries: readonly (Key)[] }, { readonly token: string; readonly leaseMs: number; readonly read: string; readonly waits: string }, LeaseReply>({
  name: 'cache/lease',
  sha: '2d746b9f31e0a98192ae7f9d10b4dfa1ecd3f26f',
  flags: [],
  keys: ["entries…"],
  args: ["token","leaseMs","read","waits"],
  replies: {"granted":[],"mixed":["bytes…"]},
  lua: "#!lua\nlocal others\nfor i = 1, #KEYS, 3 do\n  local word, payload = 'granted', ''\n  local value = ARGV[3] ~= 'none' and redis.pcall('GET', KEYS[i])\n  if ARGV[3] == 'instead' and type(value) == 'string' then\n    word, payload = 'value', value\n  elseif redis.call('EXISTS', KEYS[i + 2]) == 1 then\n    word = 'fenced'\n  else\n    payload = type(value) == 'string' and value or ''\n    local other = redis.call('SET', KEYS[i + 1], ARGV[1], 'NX', 'GET', 'PX', ARGV[2])\n    if other and string.sub(other, 1, 22) ~= ARGV[1] then\n      if ARGV[4] == '0' then\n        redis.call('PEXPIRE', KEYS[i + 1], ARGV[2])\n      elseif string.sub(other, -1) ~= '+' then\n        redis.call('SET', KEYS[i + 1], other .. '+', 'KEEPTTL')\n      end\n      word, payload = 'held', string.sub(other, 1, 22) .. payload\n    end\n  end\n  if (word ~= 'granted' or payload ~= '') and not others then\n    others = {'mixed'}\n    for _ = 1, i - 1, 3 do\n      others[#others + 1] = 'granted'\n      others[#others + 1] = ''\n    end\n  end\n  if others then\n    others[#others + 1] = word\n    others[#others + 1] = payload\n  end\nend\nif others then\n  return others\nend\nreturn {'granted'}\n",
})
export type LeaseReply = readonly ['granted'] | readonly [word: 'mixed', ...answers: readonly Buffer[]]

/** remove entries once more, void what is being written to them, and lift one caller's fence. */
export const liftScript = defineScript<{ readonly entries: readonly (Key)[] }, { readonly token: string; readonly channel: string }, LiftReply>({
  name: 'cache/lift',
  sha: '89b5acc653df04c28037961dddf10f610a7dcc65',
  flags: ["allow-oom"],
  keys: ["entries…"],
  args: ["token","channel"],
  replies: {"lifted":[]},
  lua: "#!lua flags=allow-oom\nlocal now = redis.call('TIME')\nlocal nowMs = now[1] * 1000 + math.floor(now[2] / 1000)\nlocal voided = {}\nfor i = 1, #KEYS, 3 do\n  redis.call('ZREM', KEYS[i + 2], ARGV[1])\n  redis.call('ZREMRANGEBYSCORE', KEYS[i + 2], '-inf', nowMs)\n  local last = redis.call('ZRANGE', KEYS[i + 2], -1, -1, 'WITHSCORES')\n  if last[2] then\n    redis.call('PEXPIREAT', KEYS[i + 2], last[2])\n  end\n  redis.call('UNLINK', KEYS[i])\n  if redis.call('UNLINK', KEYS[i + 1]) == 1 and ARGV[2] ~= '' then\n    voided[#voided + 1] = KEYS[i]\n  end\nend\nfor _, key in ipairs(voided) do\n  redis.call('PUBLISH', ARGV[2], key)\nend\nreturn {'lifted'}\n",
})
export type LiftReply = readonly ['lifted']

/** write entries, and void any load of them that is under way, but for those that are being changed. */
export const putManyScript = defineScript<{ readonly entries: readonly (Key)[] }, { readonly channel: string; readonly frames: readonly (Buffer | string)[] }, PutManyReply>({
  name: 'cache/put-many',
  sha: '89f7ca344b97c2961ce14d83e84bf869d042f1a5',
  flags: [],
  keys: ["entries…"],
  args: ["channel","frames…"],
  replies: {"written":[],"mixed":["text…"]},
  lua: "#!lua\nlocal fenced = 0\nlocal outcomes = {'mixed'}\nlocal voided = {}\nfor i = 1, #KEYS, 3 do\n  local at = 2 * #outcomes\n  if redis.call('EXISTS', KEYS[i + 2]) == 1 then\n    fenced = fenced + 1\n    outcomes[#outcomes + 1] = 'fenced'\n  else\n    redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[at])\n    if redis.call('DEL', KEYS[i + 1]) == 1 and ARGV[1] ~= '' then\n      voided[#voided + 1] = KEYS[i]\n    end\n    outcomes[#outcomes + 1] = 'written'\n  end\nend\nfor _, key in ipairs(voided) do\n  redis.call('PUBLISH', ARGV[1], key)\nend\nif fenced == 0 then\n  return {'written'}\nend\nreturn outcomes\n",
})
export type PutManyReply = readonly ['written'] | readonly [word: 'mixed', ...outcomes: readonly string[]]

/** write an entry, and void any load of it that is under way. */
export const putScript = defineScript<{ readonly value: Key; readonly lease: Key }, { readonly frame: Buffer | string; readonly lifeMs: number; readonly channel: string }, PutReply>({
  name: 'cache/put',
  sha: '6e973fb91d82e9cdb097e3c77a4f4de8dd87574d',
  flags: [],
  keys: ["value","lease"],
  args: ["frame","lifeMs","channel"],
  replies: {"written":[]},
  lua: "#!lua\nredis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\nif redis.call('DEL', KEYS[2]) == 1 and ARGV[3] ~= '' then\n  redis.call('PUBLISH', ARGV[3], KEYS[1])\nend\nreturn {'written'}\n",
})
export type PutReply = readonly ['written']

/** remove some entries, each together with its lease. */
export const removeScript = defineScript<{ readonly pairs: readonly (Key)[] }, Record<never, never>, RemoveReply>({
  name: 'cache/remove',
  sha: 'e1bab94a9f7322fcf63b6539847307808228d618',
  flags: ["allow-oom"],
  keys: ["pairs…"],
  args: [],
  replies: {"removed":["int"]},
  lua: "#!lua flags=allow-oom\nlocal count = 0\nfor i = 1, #KEYS, 2 do\n  count = count + redis.call('UNLINK', KEYS[i])\n  redis.call('UNLINK', KEYS[i + 1])\nend\nreturn {'removed', count}\n",
})
export type RemoveReply = readonly [word: 'removed', count: number]

/** the epochs of some tags, made where they are missing; or 'changed' when one moved since a load began. */
export const touchTagsScript = defineScript<{ readonly generation: Key; readonly tags: readonly (Key)[] }, { readonly since: string; readonly nonce: string; readonly lifeMs: number }, TouchTagsReply>({
  name: 'cache/touch-tags',
  sha: '22fdc2f38a36ee008d1163c9c53089431fa7f40f',
  flags: [],
  keys: ["generation","tags…"],
  args: ["since","nonce","lifeMs"],
  replies: {"touched":["text","text…"],"changed":[]},
  lua: "#!lua\nlocal generation = redis.call('GET', KEYS[1])\nif not generation then\n  local now = redis.call('TIME')\n  generation = string.format('%.0f', now[1] * 1000000 + now[2])\n  redis.call('SET', KEYS[1], generation, 'PX', math.max(ARGV[3], 86400000))\nend\nlocal reply = {'touched', generation}\nfor i = 2, #KEYS do\n  local epoch = redis.call('GET', KEYS[i])\n  if epoch then\n    if ARGV[1] ~= '' and tonumber(string.match(epoch, '^%d+')) > tonumber(ARGV[1]) then\n      return {'changed'}\n    end\n    if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) / 2 then\n      redis.call('PEXPIRE', KEYS[i], ARGV[3])\n    end\n  else\n    if ARGV[1] ~= '' and ARGV[1] ~= generation then\n      return {'changed'}\n    end\n    epoch = generation .. '.' .. ARGV[2]\n    redis.call('SET', KEYS[i], epoch, 'PX', ARGV[3])\n  end\n  reply[i + 1] = epoch\nend\nreturn reply\n",
})
export type TouchTagsReply = readonly [word: 'touched', generation: string, ...epochs: readonly string[]] | readonly ['changed']
