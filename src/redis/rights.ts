import type { CallOptions } from './call.ts'
import type { Key, Keyspace } from './keyspace.ts'
import { LayoutKeys } from './shards/layout.ts'
import type { PlaceSettings } from './url.ts'
import type { Arg, Reply } from './wire.ts'

/** What one room needs of the server's user: the manifest of least privilege. */
export interface Rights {
  /** Commands that are sent, and those that its scripts call. */
  readonly commands: readonly string[]
  /** Key patterns, as ACL writes them, without `~`. */
  readonly keys: readonly string[]
  /** Channel patterns, without `&`. */
  readonly channels: readonly string[]
}

/** The rights as an ACL rule: what an administrator types after `ACL SETUSER name`. */
export function aclRule(rights: Rights): string {
  const keys = rights.keys.map((pattern) => `~${pattern}`)
  const channels = rights.channels.map((pattern) => `&${pattern}`)
  const commands = rights.commands.map((command) => `+${command.toLowerCase().replace(' ', '|')}`)
  return [...keys, ...channels, ...commands].join(' ')
}

/**
 * Any connection to a server that holds data. AUTH and HELLO need no right. PING: the first call of `connect`, and the beat of a
 * connection that listens. TIME: how far our clock is off; without it our own is believed. SETNAME: without it a connection has no
 * name. INFO: the eviction policy, how many replicas there are.
 */
const ANY_CONNECTION = ['PING', 'TIME', 'INFO', 'CLIENT|SETNAME'] as const

/**
 * What the connections themselves need of the servers' user, beside the rights of each room: by where keys live. A database other than
 * 0 needs SELECT too.
 */
export function connectionRights(kind: PlaceSettings['kind'], keyspace: Keyspace): Rights {
  switch (kind) {
    case 'single':
    case 'sentinel':
      return { commands: ANY_CONNECTION, keys: [], channels: [] }
    case 'cluster':
      // SLOTS: where keys live. NODES: whether any of them moves. ASKING: for those that do. READONLY: reads from replicas.
      return {
        commands: [...ANY_CONNECTION, 'CLUSTER|SLOTS', 'CLUSTER|NODES', 'ASKING', 'READONLY'],
        keys: [],
        channels: [],
      }
    case 'shards':
      // The list of shards, which each of them keeps; and while it changes, the keys that whoever needs them brings along.
      return {
        commands: [
          ...[...ANY_CONNECTION, 'EVAL', 'EVALSHA', 'GET', 'HMGET', 'HSET', 'HSETNX'],
          ...['EXISTS', 'RENAME', 'DUMP', 'PTTL', 'RESTORE', 'SET', 'UNLINK'],
        ],
        keys: new LayoutKeys(keyspace).patterns,
        channels: [],
      }
  }
}

/** What is needed of the Sentinels' own user: to ask who the primary is, and to hear of another one. */
export const SENTINEL_RIGHTS: Rights = {
  commands: [
    ...['PING', 'CLIENT|SETNAME', 'SUBSCRIBE'],
    ...['SENTINEL|MASTER', 'SENTINEL|GET-MASTER-ADDR-BY-NAME', 'SENTINEL|REPLICAS', 'SENTINEL|SENTINELS'],
  ],
  keys: [],
  channels: [
    '+switch-master',
    '+failover-state-send-slaveof-noone',
    '+promoted-slave',
    '-failover-abort-slave-timeout',
  ],
}

/** Several manifests as one: what a user needs who does all of it. */
export function joinRights(...all: readonly Rights[]): Rights {
  const join = (pick: (rights: Rights) => readonly string[]) => [...new Set(all.flatMap(pick))]
  return { commands: join((one) => one.commands), keys: join((one) => one.keys), channels: join((one) => one.channels) }
}

// acl_check_cmd (Redis 7.0, Valkey 7.2) answers for the calling user without any right to read ACLs.
const PROBE = `#!lua flags=no-writes
local denied = {}
for i = 1, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = word end
  local ok, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if ok and not allowed then denied[#denied + 1] = ARGV[i] end
end
return denied`

/** Samples of each command that touch `key`, for the probe: a command is denied for itself or for its key. */
const SAMPLES: Readonly<Record<string, string>> = {
  GET: 'GET %',
  SET: 'SET % 1',
  MGET: 'MGET %',
  UNLINK: 'UNLINK %',
  DEL: 'DEL %',
  EXISTS: 'EXISTS %',
  SETRANGE: 'SETRANGE % 0 x',
  GETRANGE: 'GETRANGE % 0 1',
  HSET: 'HSET % f 1',
  HGET: 'HGET % f',
  HMGET: 'HMGET % f',
  HGETALL: 'HGETALL %',
  HDEL: 'HDEL % f',
  HINCRBY: 'HINCRBY % f 1',
  HEXISTS: 'HEXISTS % f',
  HKEYS: 'HKEYS %',
  HRANDFIELD: 'HRANDFIELD %',
  ZADD: 'ZADD % 1 m',
  ZREM: 'ZREM % m',
  ZRANGE: 'ZRANGE % 0 1',
  ZSCORE: 'ZSCORE % m',
  XADD: 'XADD % * f v',
  XRANGE: 'XRANGE % - +',
  PEXPIRE: 'PEXPIRE % 1',
  PEXPIREAT: 'PEXPIREAT % 1',
  PEXPIRETIME: 'PEXPIRETIME %',
  PTTL: 'PTTL %',
  SCAN: 'SCAN 0',
  PUBLISH: 'PUBLISH %c m',
  TIME: 'TIME',
  EVALSHA: 'EVALSHA x 0',
  EVAL: 'EVAL x 0',
}

/**
 * The commands of a manifest that the server's user may not run on `key` or `channel`; empty where the server cannot tell, and
 * undefined when it could not be asked.
 */
export async function missingRights(
  redis: { call(key: Key, command: string, args: readonly Arg[], options: CallOptions): Promise<Reply> },
  rights: Rights,
  key: Key,
  channel: string,
): Promise<readonly string[] | undefined> {
  // A command without a sample is asked for by its name: whether it may be run at all.
  const asked = rights.commands
  const probes = asked.map((command) => sampleOf(command).replace(/%c?/, (place) => (place === '%' ? key : channel)))
  try {
    const denied = (await redis.call(key, 'EVAL', [PROBE, 0, ...probes], {
      operation: 'rights',
      repeat: true,
    })) as readonly Reply[]
    return denied.map((probe) => asked[probes.indexOf(String(probe))] as string)
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'SERVER_DENIED') return asked.filter((command) => command === 'EVAL')
    return code === 'SERVER_ERROR' ? [] : undefined
  }
}

const sampleOf = (command: string): string => SAMPLES[command.toUpperCase()] ?? command.replace('|', ' ')
