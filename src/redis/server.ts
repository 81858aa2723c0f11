import { monotonicMs } from '../base/clock.ts'
import type { Node } from './node.ts'
import { type Reply, ReplyFault, type Wire } from './wire.ts'

/** What is known of a server. `undefined` where its user may not ask. */
export interface ServerFacts {
  readonly product: 'redis' | 'valkey'
  /** Such as `7.0.15`. */
  readonly version: string | undefined
  readonly mode: 'standalone' | 'sentinel' | 'cluster' | undefined
  readonly role: 'primary' | 'replica' | undefined
}

const OLDEST = { redis: [7, 0], valkey: [7, 2] } as const

/** Asks the server what it is, with the one command that any user may be given without risk. */
export async function readFacts(wire: Wire): Promise<ServerFacts> {
  try {
    const hello = toMap((await wire.send('HELLO', [], false)) as readonly Reply[])
    const role = hello.get('role')
    return {
      product: hello.get('server') === 'valkey' ? 'valkey' : 'redis',
      version: hello.get('version') as string | undefined,
      mode: hello.get('mode') as ServerFacts['mode'],
      role: role === 'master' ? 'primary' : role === 'replica' ? 'replica' : undefined,
    }
  } catch (error) {
    const fault = wire.fault(error)
    if (fault instanceof ReplyFault && fault.prefix !== 'NOAUTH')
      return { product: 'redis', version: undefined, mode: undefined, role: undefined }
    throw fault
  }
}

/** The server's wall clock less our `monotonicMs`; where its user may not ask, our own wall clock stands in. */
export async function readClockOffset(wire: Wire): Promise<number> {
  const askedMs = monotonicMs()
  try {
    const [seconds, micros] = (await wire.send('TIME', [], false)) as readonly Reply[]
    const halfWayMs = (askedMs + monotonicMs()) / 2
    return Number(seconds) * 1_000 + Number(micros) / 1_000 - halfWayMs
  } catch (error) {
    const fault = wire.fault(error)
    if (fault instanceof ReplyFault) return Date.now() - monotonicMs()
    throw fault
  }
}

type Mode = NonNullable<ServerFacts['mode']>

const IS: Readonly<Record<Mode, string>> = {
  sentinel: 'is a Sentinel, which holds no data: redis+sentinel:// and the name of its primary reach its server',
  cluster: 'is a node of a Cluster: redis+cluster:// reaches it',
  standalone: 'is a single server, no node of a Cluster and no Sentinel: redis:// reaches it',
}

/** Why this server cannot be used as what the address says that it is; undefined if it can. */
export function unfitness(facts: ServerFacts, wanted: Mode): string | undefined {
  const { product, version, mode } = facts
  if (mode !== undefined && mode !== wanted) return `this server ${IS[mode]}`
  if (version === undefined) return undefined
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor, leastMinor] = OLDEST[product]
  if (major < leastMajor || (major === leastMajor && minor < leastMinor))
    return `${product} ${version} is too old: Redis 7.0 or later, or Valkey 7.2 or later, is needed`
  return undefined
}

/** `INFO` as a map of its fields. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

/** A section of INFO, of one server. */
export async function readInfo(node: Node, section: string): Promise<ReadonlyMap<string, string>> {
  return parseInfo(String(await node.call('INFO', [section], { operation: 'info', repeat: true, needs: '+info' })))
}

/** How a Cluster stands, as one of its nodes sees it. */
export async function readClusterInfo(node: Node): Promise<ReadonlyMap<string, string>> {
  const options = { operation: 'cluster info', repeat: true, needs: '+cluster|info' }
  return parseInfo(String(await node.call('CLUSTER', ['INFO'], options)))
}

/** A reply of names and values in turn, as text. */
export function toFields(reply: Reply): ReadonlyMap<string, string> {
  return new Map([...toMap(reply as readonly Reply[])].map(([name, value]) => [name, String(value)]))
}

function toMap(flat: readonly Reply[]): Map<string, Reply> {
  const map = new Map<string, Reply>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(String(flat[i]), flat[i + 1] as Reply)
  return map
}
