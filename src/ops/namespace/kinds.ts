import { checkName } from '../../base/check.ts'
import { ConfigError } from '../../base/errors.ts'
import { escapeLast, escapePart, type Key, type Keyspace, unescapeName } from '../../redis/keyspace.ts'

/**
 * What there is in a namespace, by the word behind it in a key (`{shop:cache:…}`): what an entity of the kind is named by. A key that is of
 * none of them was not made by this version, and is not touched.
 */
export const KINDS = {
  analytics: ['name', 'part'],
  breaker: ['name'],
  cache: ['name', 'id'],
  geo: ['name', 'part'],
  keyv: ['name', 'key'],
  leader: ['name'],
  limit: ['name', 'id'],
  lock: ['name'],
  log: ['name'],
  monitor: ['metric'],
  monitors: [''],
  once: ['key'],
  queue: ['name', 'shard'],
  quorum: ['name'],
  rwlock: ['name'],
  seats: ['event'],
  semaphore: ['name'],
  session: ['set', 'ref'],
  'session-user': ['set', 'user'],
  shards: [],
  value: ['name'],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type Kind = keyof typeof KINDS

/** Whose key it is. */
export interface Owner {
  readonly kind: Kind
  /** As the program has them; the second may be missing where a key belongs to all that have the first. */
  readonly names: readonly string[]
}

// What a key may have before its hash tag: that it is on its way between shards, and what it is beside an entry of a cache.
const KEY = /^(?:(?:moving|moved):\d+:)?((?:lease|fence|behind):)?\{([^{}]*)\}(.*)$/s
/** Entries of a cache with write-behind stand together in so many places, each with a hash tag. */
const TOGETHER = /^~[0-7]$/

/** Whose a key of the server is; undefined where it is not of this namespace, or of no kind that is known. */
export function ownerOf(keyspace: Keyspace, key: string): Owner | undefined {
  const [, beside, tag = '', behind = ''] = KEY.exec(key) ?? []
  const stem = keyspace.stem()
  if (!tag.startsWith(stem)) return undefined
  const [kind = ''] = tag.slice(stem.length).split(':', 1)
  if (!isKind(kind) || (beside !== undefined && kind !== 'cache')) return undefined
  const { length } = KINDS[kind]
  const rest = tag.slice(stem.length + kind.length)
  if (length === 0) return rest === '' ? { kind, names: [] } : undefined
  if (!rest.startsWith(':')) return undefined
  if (length === 1) return { kind, names: [unescapeName(rest.slice(1))] }
  const colon = rest.indexOf(':', 1)
  // The tags of a cache belong to all of its entries.
  if (colon < 0) return kind === 'cache' ? { kind, names: [unescapeName(rest.slice(1))] } : undefined
  const [name, last] = [unescapeName(rest.slice(1, colon)), rest.slice(colon + 1)]
  if (kind !== 'cache' || !TOGETHER.test(last) || !behind.startsWith(':'))
    return { kind, names: [name, unescapeName(last)] }
  // What is on record is that of a whole place.
  return { kind, names: beside === 'behind:' ? [name] : [name, unescapeName(behind.slice(1))] }
}

const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text)

/** Some entities: of a kind, of a kind and its first name, or one of them. */
export interface Choice {
  readonly kind: Kind
  readonly names: readonly string[]
}

/** Throws ConfigError for a kind that there is not, and for more names than it has. */
export function checkChoice(kind: unknown, names: readonly unknown[]): Choice {
  if (typeof kind !== 'string' || !isKind(kind)) throw new ConfigError('kind', Object.keys(KINDS).join(', '), kind)
  const known: readonly string[] = KINDS[kind]
  if (names.length > known.length) {
    const expected = known.join(' and ') || 'nothing'
    throw new ConfigError('names', `${expected} behind ${kind}`, names.join(' '))
  }
  return { kind, names: names.map((name, i) => checkName(known[i] ?? 'name', name)) }
}

/** To SCAN for these, and for others that begin alike: `ownerOf` tells. */
export function patternOf(keyspace: Keyspace, { kind, names }: Choice): string {
  const [first] = names
  if (first === undefined) return `*{${keyspace.stem()}${kind}*`
  return `*{${keyspace.stem(kind)}${KINDS[kind].length === 1 ? escapeLast(first) : escapePart(first)}*`
}

/** The hash tag of an entity, which all of its keys have; undefined where not all of its names are given. */
export function tagOf(keyspace: Keyspace, { kind, names }: Choice): Key | undefined {
  return names.length === KINDS[kind].length ? keyspace.entity(kind, ...names) : undefined
}

export const isOf = ({ kind, names }: Choice, owner: Owner): boolean =>
  owner.kind === kind && names.every((name, i) => owner.names[i] === name)
