// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** add the job of a slot that has come, and go on to the next slot. */
export const advanceScript = defineScript<{ readonly state: Key; readonly schedules: Key; readonly slots: Key; readonly bodies: Key; readonly ids: Key; readonly idle: Key; readonly lanes: readonly (Key)[] }, { readonly layout: string; readonly channel: string; readonly id: string; readonly record: string; readonly slot: string; readonly next: string; readonly group: number; readonly jobs: readonly (string)[] }, AdvanceReply>({
  name: 'queue/advance',
  sha: '63ad50300bbe5145b04cf9d196f1254435c88a3f',
  flags: [],
  keys: ["state","schedules","slots","bodies","ids","idle","lanes…"],
  args: ["layout","channel","id","record","slot","next","group","jobs…"],
  replies: {"advanced":["int"],"moved":[],"early":["int"],"layout":["text"]},
  lua: "#!lua\nlocal call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format\nlocal LANES, idle, channel, group_most = 6, KEYS[6], ARGV[2], tonumber(ARGV[7])\nlocal layout = call('HGET', KEYS[1], 'layout') or ''\nif layout ~= ARGV[1] then return {'layout', layout} end\nlocal slot = call('ZSCORE', KEYS[3], ARGV[3])\nif not slot or slot ~= ARGV[5] or call('HGET', KEYS[2], 'r:' .. ARGV[3]) ~= ARGV[4] then return {'moved'} end\nlocal clock = call('TIME')\nlocal now = math.floor(clock[1] * 1000 + clock[2] / 1000)\nif slot - now > 0 then return {'early', math.ceil(slot - now)} end\nlocal function ring()\n  for _ = 1, 5 do\n    local waiting = call('ZPOPMIN', idle)\n    if not waiting[1] then return end\n    if waiting[2] + 15000 > now and call('PUBLISH', channel .. waiting[1], KEYS[1]) > 0 then return end\n  end\nend\nlocal function id_of(envelope)\n  return sub(envelope, 4, 3 + byte(envelope, 3))\nend\nlocal function is_named(envelope)\n  return byte(envelope, 1) % 2 == 1\nend\nlocal function priority_of(envelope)\n  if byte(envelope, 1) % 4 < 2 then return '0' end\n  local at = 4 + byte(envelope, 3)\n  return sub(envelope, at + 1, at + byte(envelope, at))\nend\nlocal function group_of(envelope)\n  local flags = byte(envelope, 1)\n  if flags % 16 < 8 then return nil end\n  local at = 4 + byte(envelope, 3)\n  if flags % 4 >= 2 then at = at + 1 + byte(envelope, at) end\n  if flags % 8 >= 4 then at = at + 13 end\n  return sub(envelope, at + 2, at + 1 + byte(envelope, at) * 128 + byte(envelope, at + 1))\nend\nlocal function stamp(envelope, used, entry)\n  local flags = byte(envelope, 1)\n  if flags % 8 >= 4 then return sub(envelope, 1, 1) .. char(used) .. sub(envelope, 3) end\n  local at = 4 + byte(envelope, 3)\n  if flags % 4 >= 2 then at = at + 1 + byte(envelope, at) end\n  local added = format('%013.0f', tonumber(string.match(entry, '^%d+')))\n  return char(flags + 4, used) .. sub(envelope, 3, at - 1) .. added .. sub(envelope, at)\nend\nlocal HELD, MORE = '1000000', 5\nlocal TURNS = 1000\nlocal lanes, ranked, grouped, round, running, parked = #KEYS - LANES, nil, nil, nil, nil, nil\nif sub(layout, 1, #HELD) == HELD then\n  lanes = lanes - MORE\n  ranked, grouped, round, running, parked = unpack(KEYS, #KEYS - MORE + 1)\nend\nlocal lane_of\nlocal function find_lane(priority)\n  if not lane_of then\n    local n = 0\n    lane_of = {}\n    for name in string.gmatch(layout, '[^,]+') do\n      n = n + 1\n      lane_of[name] = n\n    end\n  end\n  return KEYS[LANES + lane_of[priority]]\nend\nlocal function join_round(group)\n  if call('ZSCORE', parked, group) then return end\n  if tonumber(call('HGET', running, group) or 0) >= group_most then return end\n  local first = call('ZRANGEBYLEX', grouped, '[' .. group .. '\\0', '(' .. group .. '\\1', 'LIMIT', 0, 1)[1]\n  if not first then return end\n  local envelope = call('HGET', KEYS[4], sub(first, #group + 19))\n  local ahead = envelope and priority_of(envelope) * TURNS or 0\n  call('ZADD', round, 'NX', call('HINCRBY', KEYS[1], 'seq', 1) - ahead, group)\nend\nlocal function place(envelope, lane, again)\n  local group = group_of(envelope)\n  if group then\n    local id = id_of(envelope)\n    local seq = format('%s%016.0f', again and '0' or '1', call('HINCRBY', KEYS[1], 'seq', 1))\n    call('ZADD', grouped, 0, group .. '\\0' .. seq .. id)\n    call('HSET', KEYS[4], id, envelope)\n    join_round(group)\n  elseif byte(envelope, 1) >= 64 then\n    local id = id_of(envelope)\n    local score = call('HINCRBY', KEYS[1], 'seq', 1) - tonumber(priority_of(envelope)) * 2 ^ 36\n    call('ZADD', ranked, format('%.0f', score), id)\n    call('HSET', KEYS[4], id, envelope)\n  else\n    call('XADD', lane or find_lane(priority_of(envelope)), '*', 'j', envelope)\n  end\nend\nlocal added = 0\nfor i = 8, #ARGV, 3 do\n  if call('HSETNX', KEYS[5], ARGV[i + 1], '1') == 1 then\n    place(ARGV[i + 2])\n    added = added + 1\n  end\n  call('HSET', KEYS[2], 'l:' .. ARGV[3], ARGV[i])\nend\ncall('ZADD', KEYS[3], ARGV[6], ARGV[3])\nif added > 0 then ring() end\nreturn {'advanced', added}\n",
})
export type AdvanceReply = readonly [word: 'advanced', added: number] | readonly ['moved'] | readonly [word: 'early', waitMs: number] | readonly [word: 'layout', layout: string]

/** take a job out of its lane, or tell the process that runs it. */
export const cancelScript = defineScript<{ readonly state: Key; readonly ids: Key; readonly progress: Key; readonly lanes: readonly (Key)[] }, { readonly layout: string; readonly id: string; readonly most: number; readonly lane: number; readonly from: string; readonly notices: string; readonly outcome: string }, CancelReply>({
  name: 'queue/cancel',
  sha: '3d34106c4f5de4063edd15676a47a92019b55990',
  flags: ["allow-oom"],
  keys: ["state","ids","progress","lanes…"],
  args: ["layout","id","most","lane","from","notices","outcome"],
  replies: {"removed":[],"running":["int"],"more":["int","text"],"absent":[],"layout":["text"]},
  lua: "#!lua flags=allow-oom\nlocal call, sub, byte = redis.call, string.sub, string.byte\nlocal layout = call('HGET', KEYS[1], 'layout') or ''\nif layout ~= ARGV[1] then return {'layout', layout} end\nlocal LANES, id, most, lane, from = 3, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]\nlocal function id_of(envelope)\n  return sub(envelope, 4, 3 + byte(envelope, 3))\nend\nlocal function seek()\n  local left = most\n  for i = lane, #KEYS - LANES - (sub(layout, 1, 7) == '1000000' and 5 or 0) do\n    local start = i == lane and from ~= '' and '(' .. from or '-'\n    local entries = call('XRANGE', KEYS[LANES + i], start, '+', 'COUNT', left)\n    for _, one in ipairs(entries) do\n      if id_of(one[2][2]) == id then return i, one[1], one[2][2] end\n    end\n    if #entries == left then return nil, i, entries[left][1] end\n    left = left - #entries\n  end\n  return nil\nend\nlocal found, entry, after = seek()\nif not found then\n  if entry then return {'more', entry, after} end\n  return {'absent'}\nend\nlocal pending = call('XPENDING', KEYS[LANES + found], 'g', entry, entry, 1)[1]\nif pending and pending[2] ~= '~' and pending[2] ~= '!' then\n  return {'running', call('PUBLISH', ARGV[6], 'cancel ' .. id)}\nend\ncall('XACK', KEYS[LANES + found], 'g', entry)\ncall('XDEL', KEYS[LANES + found], entry)\ncall('HDEL', KEYS[2], id)\ncall('DEL', KEYS[3])\ncall('PUBLISH', ARGV[7], 'ended')\nreturn {'removed'}\n",
})
export type CancelReply = readonly ['removed'] | readonly [word: 'running', heard: number] | readonly [word: 'more', lane: number, entry: string] | readonly ['absent'] | readonly [word: 'layout', layout: string]

/** forget jobs that wait, for their turn or for their time. */
export const drainScript = defineScript<{ readonly state: Key; readonly delayed: Key; readonly bodies: Key; readonly ids: Key; readonly lanes: readonly (Key)[] }, { readonly layout: string; readonly most: number }, DrainReply>({
  name: 'queue/drain',
  sha: '99f3f3f3088f8fedf2abdd2baf4587bca90cfd21',
  flags: ["allow-oom"],
  keys: ["state","delayed","bodies","ids","lanes…"],
  args: ["layout","most"],
  replies: {"drained":["int"],"layout":["text"]},
  lua: "#!lua flags=allow-oom\nlocal call, sub, byte = redis.call, string.sub, string.byte\nlocal LANES, GROUPS = 4, 'GROUPS'\nlocal layout = call('HGET', KEYS[1], 'layout') or ''\nif layout ~= ARGV[1] then return {'layout', layout} end\nlocal count, last_lane = 0, #KEYS\nif sub(layout, 1, 7) == '1000000' then\n  last_lane = last_lane - 5\n  local ranked, grouped, round = unpack(KEYS, last_lane + 1)\n  local ids = call('ZRANGE', ranked, 0, ARGV[2] - 1)\n  for _, id in ipairs(ids) do call('ZREM', ranked, id) end\n  for _, member in ipairs(call('ZRANGE', grouped, 0, ARGV[2] - 1)) do\n    local zero = string.find(member, '\\0', 1, true)\n    call('ZREM', grouped, member)\n    call('ZREM', round, sub(member, 1, zero - 1))\n    ids[#ids + 1] = sub(member, zero + 18)\n  end\n  for _, id in ipairs(ids) do\n    call('HDEL', KEYS[3], id)\n    call('HDEL', KEYS[4], id)\n    count = count + 1\n  end\nend\nfor i = LANES + 1, last_lane do\n  local lane = KEYS[i]\n  local found = {}\n  for _, one in ipairs(call('XPENDING', lane, 'g', '-', '+', ARGV[2], '~')) do\n    found[#found + 1] = call('XRANGE', lane, one[1], one[1])[1]\n  end\n  local last = call('XINFO', GROUPS, lane)[1][8]\n  for _, entry in ipairs(call('XRANGE', lane, '(' .. last, '+', 'COUNT', ARGV[2])) do found[#found + 1] = entry end\n  for _, entry in ipairs(found) do\n    call('XACK', lane, 'g', entry[1])\n    call('XDEL', lane, entry[1])\n    local envelope = entry[2][2]\n    call('HDEL', KEYS[4], sub(envelope, 4, 3 + byte(envelope, 3)))\n    count = count + 1\n  end\nend\nfor _, id in ipairs(call('ZRANGE', KEYS[2], 0, ARGV[2] - 1)) do\n  call('ZREM', KEYS[2], id)\n  call('HDEL', KEYS[3], id)\n  call('HDEL', KEYS[4], id)\n  count = count + 1\nend\nreturn {'drained', count}\n",
})
export type DrainReply = readonly [word: 'drained', count: number] | readonly [word: 'layout', layout: string]

/** what is known of one job. */
export const findJobScript = defineScript<{ readonly state: Key; readonly delayed: Key; readonly bodies: Key; readonly ids: Key; readonly dead: Key; readonly deadBodies: Key; readonly progress: Key; readonly result: Key; readonly lanes: readonly (Key)[] }, { readonly layout: string; readonly id: string; readonly most: number; readonly lane: number; readonly from: string }, FindJobReply>({
  name: 'queue/find-job',
  sha: '2fdd522d32257b8fbb8bacc5d82851fd276a0987',
  flags: ["no-writes"],
  keys: ["state","delayed","bodies","ids","dead","deadBodies","progress","result","lanes…"],
  args: ["layout","id","most","lane","from"],
  replies: {"delayed":["int","bytes","bytes"],"waiting":["text","int","bytes","bytes"],"active":["text","int","bytes","bytes"],"done":["bytes"],"dead":["int","bytes"],"more":["int","text"],"open":["bytes"],"absent":[],"layout":["text"]},
  lua: "#!lua flags=no-writes\nlocal call, sub, byte = redis.call, string.sub, string.byte\nlocal layout = call('HGET', KEYS[1], 'layout') or ''\nif layout ~= ARGV[1] then return {'layout', layout} end\nlocal LANES, id, most, lane, from = 8, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]\nlocal function id_of(envelope)\n  return sub(envelope, 4, 3 + byte(envelope, 3))\nend\nlocal function seek()\n  local left = most\n  for i = lane, #KEYS - LANES - (sub(layout, 1, 7) == '1000000' and 5 or 0) do\n    local start = i == lane and from ~= '' and '(' .. from or '-'\n    local entries = call('XRANGE', KEYS[LANES + i], start, '+', 'COUNT', left)\n    for _, one in ipairs(entries) do\n      if id_of(one[2][2]) == id then return i, one[1], one[2][2] end\n    end\n    if #entries == left then return nil, i, entries[left][1] end\n    left = left - #entries\n  end\n  return nil\nend\nlocal progress = call('GET', KEYS[7]) or ''\nlocal due = call('ZSCORE', KEYS[2], id)\nlocal body = call('HGET', KEYS[3], id)\nif due then return {'delayed', math.floor(due), progress, body or ''} end\nif body then return {'waiting', '', 0, progress, body} end\nif most > 0 then\n  local found, entry, envelope = seek()\n  if found then\n    local pending = call('XPENDING', KEYS[LANES + found], 'g', entry, entry, 1)[1]\n    local isActive = pending and pending[2] ~= '~' and pending[2] ~= '!'\n    if isActive then return {'active', entry, pending[4], progress, envelope} end\n    return {'waiting', entry, pending and pending[4] or 0, progress, envelope}\n  end\n  if entry then return {'more', entry, envelope} end\nend\nlocal result = call('GET', KEYS[8])\nif result then return {'done', result} end\nlocal died = call('ZSCORE', KEYS[5], id)\nif died then return {'dead', math.floor(died), call('HGET', KEYS[6], id) or ''} end\nif call('HGET', KEYS[4], id) then return {'open', progress} end\nreturn {'absent'}\n",
})
export type FindJobReply = readonly [word: 'delayed', dueAtMs: number, progress: Buffer, envelope: Buffer] | readonly [word: 'waiting', entry: string, deliveries: number, progress: Buffer, envelope: Buffer] | readonly [word: 'active', entry: string, deliveries: number, progress: Buffer, envelope: Buffer] | readonly [word: 'done', result: Buffer] | readonly [word: 'dead', diedAtMs: number, body: Buffer] | readonly [word: 'more', lane: number, entry: string] | readonly [word: 'open', progress: Buffer] | readonly ['absent'] | readonly [word: 'layout', layout: string]

/** end one job as done, and with it all that is to be so from then on. */
export const finishScript = defineScript<{ readonly state: Key; readonly leases: Key; readonly delayed: Key; readonly bodies: Key; readonly ids: Key; readonly idle: Key; readonly tallies: Key; readonly progress: Key; readonly result: Key; readonly lane: Key; readonly lanes: readonly (Key)[] }, { readonly layout: string; readonly channel: string; readonly consumer: string; readonly entry: string; readonly named: string; readonly resultMs: number; readonly result: Buffer | string; readonly outcome: string; readonly group: string; readonly most: number; readonly tallies: number; readonly rest: readonly (string)[] }, FinishReply>({
  name: 'queue/finish',
  sha: 'e8c3fb9cd0a69fc26809add47901fde198112022',
  flags: ["allow-oom"],
  keys: ["state","leases","delayed","bodies","ids","idle","tallies","progress","result","lane","lanes…"],
  args: ["layout","channel","consumer","entry","named","resultMs","result","outcome","group","most","tallies","rest…"],
  replies: {"finished":[],"absent":[],"gone":[],"layout":["text"]},
  lua: "#!lua flags=allow-oom\nlocal call, sub, byte, char, format = redis.call, string.sub, string.byte, string.char, string.format\nlocal LANES, idle, channel, group_most = 10, KEYS[6], ARGV[2], tonumber(ARGV[10])\nlocal layout = call('HGET', KEYS[1], 'layout') or ''\nif layout ~= ARGV[1] then return {'layout', layout} end\nif tonumber(call('ZSCORE', KEYS[2], ARGV[3]) or -1) < 0 then return {'gone'} end\nif call('XACK', KEYS[10], 'g', ARGV[4]) == 0 then return {'absent'} end\ncall('XDEL', KEYS[10], ARGV[4])\ncall('HDEL', KEYS[5], ARGV[5])\nlocal clock = call('TIME')\nlocal now = math.floor(clock[1] * 1000 + clock[2] / 1000)\nlocal function ring()\n  for _ = 1, 5 do\n    local waiting = call('ZPOPMIN', idle)\n    if not waiting[1] then return end\n    if waiting[2] + 15000 > now and call('PUBLISH', channel .. waiting[1], KEYS[1]) > 0 then return end\n  end\nend\nlocal function id_of(envelope)\n  return sub(envelope, 4, 3 + byte(envelope, 3))\nend\nlocal function is_named(envelope)\n  return byte(envelope, 1) % 2 == 1\nend\nlocal function priority_of(envelope)\n  if byte(envelope, 1) % 4 < 2 then return '0' end\n  local at = 4 + byte(envelope, 3)\n  return sub(envelope, at + 1, at + byte(envelope, at))\nend\nlocal function group_of(envelope)\n  local flags = byte(envelope, 1)\n  if flags % 16 < 8 then return nil end\n  local at = 4 + byte(envelope, 3)\n  if flags % 4 >= 2 then at = at + 1 + byte(envelope, at) end\n  if flags % 8 >= 4 then at = at + 13 end\n  return sub(envelope, at + 2, at + 1 + byte(envelope, at) * 128 + byte(envelope, at + 1))\nend\nlocal function stamp(envelope, used, entry)\n  local flags = byte(envelope, 1)\n  if flags % 8 >= 4 then return sub(envelope, 1, 1) .. char(used) .. sub(envelope, 3) end\n  local at = 4 + byte(envelope, 3)\n  if flags % 4 >= 2 then at = at + 1 + byte(envelope, at) end\n  local added = format('%013.0f', tonumber(string.match(entry, '^%d+')))\n  return char(flags + 4, used) .. sub(envelope, 3, at - 1) .. added .. sub(envelope, at)\nend\nlocal HELD, MORE = '1000000', 5\nlocal TURNS = 1000\nlocal lanes, ranked, grouped, round, running, parked = #KEYS - LANES, nil, nil, nil, nil, nil\nif sub(layout, 1, #HELD) == HELD then\n  lanes = lanes - MORE\n  ranked, grouped, round, running, parked = unpack(KEYS, #KEYS - MORE + 1)\nend\nlocal lane_of\nlocal function find_lane(priority)\n  if not lane_of then\n    local n = 0\n    lane_of = {}\n    for name in string.gmatch(layout, '[^,]+') do\n      n = n + 1\n      lane_of[name] = n\n    end\n  end\n  return KEYS[LANES + lane_of[priority]]\nend\nlocal function join_round(group)\n  if call('ZSCORE', parked, group) then return end\n  if tonumber(call('HGET', running, group) or 0) >= group_most then return end\n  local first = call('ZRANGEBYLEX', grouped, '[' .. group .. '\\0', '(' .. group .. '\\1', 'LIMIT', 0, 1)[1]\n  if not first then return end\n  local envelope = call('HGET', KEYS[4], sub(first, #group + 19))\n  local ahead = envelope and priority_of(envelope) * TURNS or 0\n  call('ZADD', round, 'NX', call('HINCRBY', KEYS[1], 'seq', 1) - ahead, group)\nend\nlocal function place(envelope, lane, again)\n  local group = group_of(envelope)\n  if group then\n    local id = id_of(envelope)\n    local seq = format('%s%016.0f', again and '0' or '1', call('HINCRBY', KEYS[1], 'seq', 1))\n    call('ZADD', grouped, 0, group .. '\\0' .. seq .. id)\n    call('HSET', KEYS[4], id, envelope)\n    join_round(group)\n  elseif byte(envelope, 1) >= 64 then\n    local id = id_of(envelope)\n    local score = call('HINCRBY', KEYS[1], 'seq', 1) - tonumber(priority_of(envelope)) * 2 ^ 36\n    call('ZADD', ranked, format('%.0f', score), id)\n    call('HSET', KEYS[4], id, envelope)\n  else\n    call('XADD', lane or find_lane(priority_of(envelope)), '*', 'j', envelope)\n  end\nend\nlocal at, ready = 12, false\nif ARGV[9] ~= '' then\n  if call('HINCRBY', running, ARGV[9], -1) <= 0 then call('HDEL', running, ARGV[9]) end\n  join_round(ARGV[9])\n  ready = true\nend\nfor _ = 1, tonumber(ARGV[11]) do\n  call('HINCRBY', KEYS[7], ARGV[at], ARGV[at + 1])\n  at = at + 2\nend\nfor i = at, #ARGV, 3 do\n  local wait, id, envelope = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]\n  if id == '' or call('HSETNX', KEYS[5], id, '1') == 1 then\n    if wait == 0 then\n      place(envelope)\n    else\n      id = id_of(envelope)\n      call('HSET', KEYS[4], id, envelope)\n      call('ZADD', KEYS[3], format('%.0f', now + wait), id)\n    end\n    ready = true\n  end\nend\ncall('DEL', KEYS[8])\nif ARGV[6] ~= '0' then call('SET', KEYS[9], ARGV[7], 'PX', ARGV[6]) end\nif ready then ring() end\ncall('PUBLISH', ARGV[8], 'ended')\nreturn {'finished'}\n",
})
export type FinishReply = readonly ['finished'] | readonly ['absent'] | readonly ['gone'] | readonly [word: 'layout', layout: string]

/** schedules and their next slots. */
export const listSchedulesScript = defineScript<{ readonly schedules: Key; readonly slots: Key }, { readonly until: string; readonly from: number; readonly count: number; readonly ids: readonly (string)[] }, ListSchedulesReply>({
  name: 'queue/list-schedules',
  sha: '63219ef68efc933bbc978612498a042cfc09a913',
  flags: ["no-writes"],
  keys: ["schedules","slots"],
  args: ["until","from","count","ids…"],
  replies: {"schedules":["int","int","text…"]},
  lua: "#!lua flags=no-writes\nlocal call = redis.call\nlocal clock = call('TIME')\nlocal now = math.floor(clock[1] * 1000 + clock[2] / 1000)\nlocal ids = {}\nfor i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end\nif #ids == 0 then\n  local last = ARGV[1] == 'due' and string.format('%.0f', now) or '+inf'\n  ids = call('ZRANGEBYSCORE', KEYS[2], '-inf', last, 'LIMIT', ARGV[2], ARGV[3])\nend\nlocal coming = call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', now), '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]\nlocal reply = { 'schedules', now, coming and math.ceil(coming - now) or -1 }\nfor _, id in ipairs(ids) do\n  local known = call('HMGET', KEYS[1], 'r:' .. id, 'l:' .. id)\n  local slot = call('ZSCORE', KEYS[2], id)\n  if known[1] and slot then\n    reply[#reply + 1] = id\n    reply[#reply + 1] = known[1]\n    reply[#reply + 1] = slot\n    reply[#reply + 1] = known[2] or ''\n  end\nend\nreturn reply\n",
})
export type ListSchedulesReply = readonly [word: 'schedules', now: number, waitMs: number, ...rows: readonly string[]]

/** make a schedule, or change the one that stands. */
export const putScheduleScript = defineScript<{ readonly schedules: Key; readonly slots: Key }, { readonly id: string; readonly known: string; readonly slot: string; readonly record: string; readonly next: string; readonly channel: string }, PutScheduleReply>({
  name: 'queue/put-schedule',
  sha: '40cb62a2613d51150232843423a19f403825ffc4',
  flags: [],
  keys: ["schedules","slots"],
  args: ["id","known","slot","record","next","channel"],
  replies: {"put":[],"moved":[]},
  lua: "#!lua\nlocal call = redis.call\nlocal record, slot = call('HGET', KEYS[1], 'r:' .. ARGV[1]) or '', call('ZSCORE', KEYS[2], ARGV[1]) or ''\nif record ~= ARGV[2] or slot ~= ARGV[3] then return {'moved'} end\ncall('HSET', KEYS[1], 'r:' .. ARGV[1], ARGV[4])\ncall('ZADD', KEYS[2], ARGV[5], ARGV[1])\ncall('PUBLISH', ARGV[6], 'schedules')\nreturn {'put'}\n",
})
export type PutScheduleReply = readonly ['put'] | readonly ['moved']

/** no more jobs of a schedule. */
export const removeScheduleScript = defineScript<{ readonly schedules: Key; readonly slots: Key }, { readonly id: string }, RemoveScheduleReply>({
  name: 'queue/remove-schedule',
  sha: '070067f5155d0a4981e176fc492a1151a2618d24',
  flags: ["allow-oom"],
  keys: ["schedules","slots"],
  args: ["id"],
  replies: {"removed":["int"]},
  lua: "#!lua flags=allow-oom\nredis.call('HDEL', KEYS[1], 'r:' .. ARGV[1], 'l:' .. ARGV[1])\nreturn {'removed', redis.call('ZREM', KEYS[2], ARGV[1])}\n",
})
export type RemoveScheduleReply = readonly [word: 'removed', count: number]

/** how far a job is. */
export const reportScript = defineScript<{ readonly progress: Key }, { readonly keepMs: number; readonly value: Buffer | string; readonly channel: string }, ReportReply>({
  name: 'queue/report',
  sha: '37f8055cda5bc3029021eeec76604d02b3e508a4',
  flags: [],
  keys: ["progress"],
  args: ["keepMs","value","channel"],
  replies: {"reported":[]},
  lua: "#!lua\nredis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])\nredis.call('PUBLISH', ARGV[3], 'progress')\nreturn {'reported'}\n",
})
export type ReportReply = readonly ['reported']

/** write another shape into the layout of a shard that has no jobs. */
export const reshapeScript = defineScript<{ readonly state: Key; readonly delayed: Key; readonly dead: Key; readonly slots: Key; readonly lanes: readonly (Key)[] }, { readonly layout: string; readonly shape: string; readonly places: number }, ReshapeReply>({
  name: 'queue/reshape',
  sha: '418096d02eb35cc9c20638437e7adc57d33e88be',
  flags: [],
  keys: ["state","delayed","dead","slots","lanes…"],
  args: ["layout","shape","places"],
  replies: {"reshaped":["text"],"busy":["int","int","int"],"layout":["text"]},
  lua: "#!lua\nlocal call = redis.call\nlocal LANES = 4\nlocal layout = call('HGET', KEYS[1], 'layout') or ''\nif layout ~= ARGV[1] then return {'layout', layout} end\nlocal jobs, last = call('ZCARD', KEYS[2]), #KEYS\nif string.sub(layout, 1, 7) == '1000000' then\n  last = last - 5\n  jobs = jobs + call('ZCARD', KEYS[last + 1]) + call('ZCARD', KEYS[last + 2])\nend\nfor i = LANES + 1, last do jobs = jobs + call('XLEN', KEYS[i]) end\nlocal dead, schedules = 0, 0\nif ARGV[3] == '1' then dead, schedules = call('ZCARD', KEYS[3]), call('ZCARD', KEYS[4]) end\nif jobs + dead + schedules > 0 then return {'busy', jobs, schedules, dead} end\nlocal parts = {}\nfor part in string.gmatch(layout, '[^,]+') do\n  if not string.find(part, ':', 1, true) then parts[#parts + 1] = part end\nend\nparts[#parts + 1] = ARGV[2]\nlayout = table.concat(parts, ',')\ncall('HSET', KEYS[1], 'layout', layout)\nreturn {'reshaped', layout}\n",
})
export type ReshapeReply = readonly [word: 'reshaped', layout: string] | readonly [word: 'busy', jobs: number, schedules: number, dead: number] | readonly [word: 'layout', layout: string]
