// Made by scripts/build-lua.mjs from lua/*.lua. Do not edit.

import type { Key } from '../redis/keyspace.ts'
import { defineScript } from '../redis/script.ts'

/** end leases of one token, and tell those who wait. */
export const releaseScript = defineScript<{ readonly leases: readonly (Key)[] }, { readonly token: string; readonly channel: string }, ReleaseReply>({
  name: 'lease/release',
  sha: '53322c0511a175ff3338d07c1b11645cb4a239cb',
  flags: ["allow-oom"],
  keys: ["leases…"],
  args: ["token","channel"],
  replies: {"released":["int"]},
  lua: "#!lua flags=allow-oom\nlocal count = 0\nfor i = 1, #KEYS do\n  local lease = redis.call('GET', KEYS[i])\n  if lease and string.sub(lease, 1, 22) == ARGV[1] then\n    redis.call('DEL', KEYS[i])\n    count = count + 1\n    if ARGV[2] ~= '' then\n      redis.call('PUBLISH', ARGV[2], KEYS[i])\n    end\n  end\nend\nreturn {'released', count}\n",
})
export type ReleaseReply = readonly [word: 'released', count: number]

/** give leases of one token that still stand their full time again. */
export const renewScript = defineScript<{ readonly leases: readonly (Key)[] }, { readonly token: string; readonly leaseMs: number }, RenewReply>({
  name: 'lease/renew',
  sha: '722b3451ce27865ffc7710267f6fddb4c7da4629',
  flags: ["allow-oom"],
  keys: ["leases…"],
  args: ["token","leaseMs"],
  replies: {"renewed":["int"]},
  lua: "#!lua flags=allow-oom\nlocal count = 0\nfor i = 1, #KEYS do\n  local lease = redis.call('GET', KEYS[i])\n  if lease and string.sub(lease, 1, 22) == ARGV[1] then\n    redis.call('PEXPIRE', KEYS[i], ARGV[2])\n    count = count + 1\n  end\nend\nreturn {'renewed', count}\n",
})
export type RenewReply = readonly [word: 'renewed', count: number]
