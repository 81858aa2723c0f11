import type { CallOptions } from './call.ts'
import type { Key } from './keyspace.ts'
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
  ZADD: 'ZADD % 1 m',
  ZREM: 'ZREM % m',
  ZRANGE: 'ZRANGE % 0 1',
  ZSCORE: 'ZSCORE % m',
  XADD: 'XADD % * f v',
  XRANGE: 'XRANGE % - +',
  PEXPIRE: 'PEXPIRE % 1',
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
