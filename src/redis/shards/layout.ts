import { type Address, parseAddress } from '../address.ts'
import type { Key, Keyspace } from '../keyspace.ts'
import { Rendezvous } from '../rendezvous.ts'

/** A shard as the record names it. */
export interface NamedAddress {
  readonly name: string
  /** `host:port`, as it stood in the address that named it; each process puts it through its own `addressMap`. */
  readonly address: string
}

/**
 * How far a move is. A key is `affected` when its place differs between the two lists.
 *
 *   stable     every key is at its place in `shards`
 *   announced  the same, and `next` is coming: the record is read more often from now on, and trusted for less long
 *   stopped    nobody touches affected keys, for some 0.4 s, until nobody can still believe `announced`
 *   pulling    affected keys are fetched from their old place by whoever needs them, and used at the new one only
 *
 * and then `stable`, with `next` as `shards`. Two neighbours in this list may be believed at the same time by different processes, never
 * more: so each step has to be safe beside the one before it, and is. `announced` does what `stable` does; `stopped` does less; who
 * begins with `pulling` meets at most those who do nothing; who believes `stable` again meets those who look at the old
 * place first and find nothing there.
 */
export type Phase = 'stable' | 'announced' | 'stopped' | 'pulling'

/** The list of shards that a namespace is spread over. One is written on each of them, and the highest counts. */
export interface Layout {
  /**
   * The names of the first list that there was; of both, with `|` between them, where two were written at once and one had to give way.
   * Two lists that share no origin are never mixed.
   */
  readonly origin: string
  /** Only grows. 0: written while some shards were away, and gives way to any other. */
  readonly version: number
  /** Of the same version, the later addresses. */
  readonly revision: number
  readonly phase: Phase
  /** Sorted by name. */
  readonly shards: readonly NamedAddress[]
  /** The list that comes, while one comes. */
  readonly next?: readonly NamedAddress[]
  /** Shards whose keys were given up: they are asked for nothing. */
  readonly lost?: readonly string[]
}

/** How long the answer of a shard's record is believed, in ms from when it was asked for; and how often it is asked for. */
export interface Trust {
  readonly trustMs: number
  readonly pollMs: number
}

const CALM: Trust = { trustMs: 1_000, pollMs: 250 }
/** While a move begins: what is trusted for a shorter time can be stopped for a shorter time. */
const ALERT: Trust = { trustMs: 200, pollMs: 50 }

export const trustIn = (phase: Phase | undefined): Trust =>
  phase === 'announced' || phase === 'stopped' ? ALERT : CALM
/** From when a call leaves to when it has been carried out, at most; what takes longer has to be looked at when its answer comes. */
export const CARRY_MS = 250
/** So long after a step was written everywhere nobody believes the one before, and nothing that was sent in that belief is under way. */
export const SETTLE_MS = { announced: CALM.trustMs + CARRY_MS, stopped: ALERT.trustMs + CARRY_MS } as const

/**
 * Every key of the list itself and of a move, spelt here and nowhere else. For the namespace `shop`:
 *
 *   {shop:shards}              hash    the list (`layout`, JSON), its `version`, `revision`, `phase`, and `self`, the name of the shard. No TTL
 *   {shop:shards}:mover        string  who moves; expires: seconds, renewed while the mover lives
 *   moving:7:<key>             the key itself on its way from here, in version 7. Keeps the key's TTL
 *   moved:7:<key>              string  it has arrived here in version 7, and is not to arrive again. Expires: half a minute
 */
export class LayoutKeys {
  readonly record: Key
  readonly mover: Key
  /** What every key of the namespace holds. */
  readonly #mark: string

  constructor(keyspace: Keyspace) {
    this.record = keyspace.entity('shards')
    this.mover = `${this.record}:mover` as Key
    this.#mark = `{${keyspace.stem()}`
  }

  parked(key: string, version: number): Key {
    return `${PARKED}${version}:${key}` as Key
  }

  arrived(key: string, version: number): Key {
    return `${ARRIVED}${version}:${key}` as Key
  }

  /** A pattern over each of these names, for the manifest of rights. */
  get patterns(): readonly string[] {
    return [`${this.record}*`, `${PARKED}*${this.#mark}*`, `${ARRIVED}*${this.#mark}*`]
  }

  /** To SCAN for all keys of the namespace. */
  get all(): string {
    return `*${this.#mark}*`
  }

  /** To SCAN for keys that are on their way. */
  parkedIn(version: number): string {
    return `${PARKED}${version}:*${this.#mark}*`
  }

  /** True for what the namespace's own users keep: not the list, and nothing of a move. */
  isOwn(key: string): boolean {
    return (
      key.includes(this.#mark) && !key.startsWith(this.record) && !key.startsWith(PARKED) && !key.startsWith(ARRIVED)
    )
  }

  /** The key that is on its way under this name. */
  keyOf(parked: string, version: number): string {
    return parked.slice(`${PARKED}${version}:`.length)
  }
}

const PARKED = 'moving:'
const ARRIVED = 'moved:'

/** Every shard of a layout, now and to come, once, without those given up. */
export function shardsOf({ shards, next = [], lost = [] }: Layout): readonly NamedAddress[] {
  const all = new Map([...shards, ...next].map((shard) => [shard.name, shard]))
  return [...all.values()].filter(({ name }) => !lost.includes(name))
}

export const namesOf = (shards: readonly { readonly name: string }[]): readonly string[] =>
  shards.map(({ name }) => name).sort()

export const sameNames = (one: readonly { name: string }[], other: readonly { name: string }[]): boolean =>
  namesOf(one).join('\n') === namesOf(other).join('\n')

export const sortShards = (shards: readonly NamedAddress[]): readonly NamedAddress[] =>
  shards.map(({ name, address }) => ({ name, address })).sort((a, b) => (a.name < b.name ? -1 : 1))

export const showList = (shards: readonly { readonly name: string }[]): string => namesOf(shards).join(', ')

/** The first list of a namespace. */
export function firstLayout(shards: readonly NamedAddress[], version: 0 | 1): Layout {
  return {
    origin: namesOf(shards).join(','),
    version,
    revision: 0,
    phase: 'stable',
    shards: sortShards(shards),
  }
}

export function isNewer(one: Layout, other: Layout | undefined): boolean {
  if (other === undefined) return true
  return one.version !== other.version ? one.version > other.version : one.revision > other.revision
}

export function areRelated(one: Layout, other: Layout): boolean {
  const origins = one.origin.split('|')
  return other.origin.split('|').some((origin) => origins.includes(origin))
}

export const encodeLayout = (layout: Layout): string => JSON.stringify(layout)

/** The layout in a record, or undefined where another version of this library wrote what this one cannot read. */
export function decodeLayout(text: string): Layout | undefined {
  try {
    const layout = JSON.parse(text) as Layout
    const { origin, version, revision, phase, shards, next = [] } = layout
    const isWhole =
      typeof origin === 'string' &&
      Number.isSafeInteger(version) &&
      Number.isSafeInteger(revision) &&
      PHASES.includes(phase) &&
      shards.length > 0 &&
      (phase === 'stable') === (next.length === 0) &&
      [...shards, ...next].every(({ name, address }) => name !== '' && portOf(address) !== undefined)
    return isWhole ? layout : undefined
  } catch {
    return undefined
  }
}

const PHASES: readonly Phase[] = ['stable', 'announced', 'stopped', 'pulling']

export function toAddress(text: string): Address {
  const { host, port } = parseAddress(text) as Address
  return { host, port }
}

const portOf = (text: string): number | undefined => parseAddress(text)?.port

/** The place of each key in both lists of a layout. */
export class Placement {
  readonly layout: Layout
  readonly #now: Rendezvous
  readonly #coming: Rendezvous | undefined
  readonly #lost: ReadonlySet<string>

  constructor(layout: Layout) {
    this.layout = layout
    this.#now = new Rendezvous(namesOf(layout.shards))
    this.#coming = layout.next === undefined ? undefined : new Rendezvous(namesOf(layout.next))
    this.#lost = new Set(layout.lost)
  }

  /** The name of the shard that the list of now gives a key to. */
  now(key: string): string {
    return this.#now.names[this.#now.placeOf(key)] as string
  }

  /** The same in the list that comes; in the one of now where none comes. */
  next(key: string): string {
    return this.#coming === undefined ? this.now(key) : (this.#coming.names[this.#coming.placeOf(key)] as string)
  }

  isAffected(key: string): boolean {
    return this.#coming !== undefined && this.now(key) !== this.next(key)
  }

  isLost(name: string): boolean {
    return this.#lost.has(name)
  }

  /** Where a key is used now: while it is pulled, at its new place. */
  user(key: string): string {
    return this.layout.phase === 'pulling' ? this.next(key) : this.now(key)
  }

  /** Keys with the same number may stand in one command, whatever step the move takes next. */
  group(key: string): number {
    const now = this.#now.placeOf(key)
    return this.#coming === undefined ? now : now * (this.#coming.names.length + 1) + this.#coming.placeOf(key) + 1
  }
}
