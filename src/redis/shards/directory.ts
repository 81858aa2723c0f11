import { monotonicMs } from '../../base/clock.ts'
import { ServerError } from '../../base/errors.ts'
import type { MapAddress } from '../address.ts'
import type { CallOptions } from '../call.ts'
import type { Keyspace } from '../keyspace.ts'
import type { Fault, Ground } from '../topology.ts'
import { type Arg, LinkFault, type Reply, type ReplyFault, type Wire } from '../wire.ts'
import { contest } from './contest.ts'
import {
  areRelated,
  decodeLayout,
  encodeLayout,
  firstLayout,
  isNewer,
  type Layout,
  LayoutKeys,
  type NamedAddress,
  Placement,
  shardsOf,
  showList,
  toAddress,
  trustIn,
} from './layout.ts'
import { RAISE, runOn } from './scripts.ts'
import { Shard } from './shard.ts'
import { warnOfOtherList } from './warning.ts'

/** A shard that is not in the list any more may owe answers: its connection is closed so much later. */
const GRACE_MS = 1_000
/** A mover that stopped everybody and has not gone on for so long has died: its next step needs nobody's decision. */
const PROMOTE_MS = 1_000

export type DirectoryListener = (before: Placement | undefined, after: Placement) => void

/**
 * The list of shards, as the shards' own records say it. Read in the handshake of each connection and several times a second, and
 * believed no longer than a moment: so a change of the list is known to every process, or the process knows that it does not know.
 *
 * The address that this process was given names where to look first. Where it differs from the record, the record counts, but
 * for the addresses of shards that both name.
 */
export class Directory {
  readonly keys: LayoutKeys
  /** The list that counts; undefined until a record was read or written. */
  placement: Placement | undefined
  readonly #ground: Ground
  readonly #mapAddress: MapAddress
  readonly #given: readonly NamedAddress[]
  /** Who is asked while there is no list: those given, and those that lists name which are not final yet. */
  #considered: readonly NamedAddress[]
  readonly #namespace: string
  readonly #listener: DirectoryListener
  readonly #onProof: () => void
  readonly #shards = new Map<string, Shard>()
  readonly #addresses = new Map<Shard, string>()
  readonly #retired = new Set<Shard>()
  #polling: NodeJS.Timeout | undefined
  #isCreating = false
  /** Why this process may not write the first list. */
  #denial: ReplyFault | undefined
  #isCorrected = false
  #wholeSinceMs: number | undefined
  #closed = false

  /**
   * given     what the address names
   * listener  told when the list has changed
   * onProof   told when a shard's record was read, so that what could not be sent to it a moment ago can
   */
  constructor(
    ground: Ground,
    given: readonly NamedAddress[],
    mapAddress: MapAddress,
    keyspace: Keyspace,
    listener: DirectoryListener,
    onProof: () => void,
  ) {
    this.#ground = ground
    this.#given = given
    this.#considered = given
    this.#mapAddress = mapAddress
    this.keys = new LayoutKeys(keyspace)
    this.#namespace = keyspace.namespace
    this.#listener = listener
    this.#onProof = onProof
    for (const shard of given) this.#add(shard)
  }

  open(): void {
    if (this.#closed || this.#polling !== undefined) return
    for (const { node } of this.#shards.values()) node.open()
    this.#poll()
  }

  /** Those of the list; before there is one, those that may be of it. */
  get shards(): readonly Shard[] {
    const named = this.placement === undefined ? this.#considered : shardsOf(this.placement.layout)
    return named.map(({ name }) => this.#shards.get(name)).filter((shard) => shard !== undefined)
  }

  shard(name: string): Shard | undefined {
    return this.#shards.get(name)
  }

  /** Why nobody knows where keys live. */
  get fault(): Fault | undefined {
    const silent = this.shards.filter((shard) => shard.heard === undefined)
    const first = silent[0] ?? this.shards[0]
    const fault = this.#denial ?? first?.fault ?? first?.node.lastError
    if (silent.length === 0 || silent.length === this.shards.length) return fault
    const why = `no shard that answers has a list of shards, and ${showList(silent)} cannot be asked`
    return new LinkFault(fault === undefined ? why : `${why} (${fault.message})`, false, fault)
  }

  /** Each shard has been asked, or could not be. */
  get #isAsked(): boolean {
    return this.shards.every(({ heard, refused }) => heard !== undefined || refused)
  }

  /** The list may be known in a moment. */
  get isDeciding(): boolean {
    return this.placement === undefined && (this.#isCreating || !this.#isAsked)
  }

  #add({ name, address }: NamedAddress): Shard {
    const given = this.#given.find((one) => one.name === name)?.address ?? address
    const { host, port } = toAddress(given)
    const node = this.#ground.makeNode(this.#mapAddress(host, port), {
      needs: `~${this.keys.record}* +hmget +eval +evalsha`,
      prepare: (wire) => this.#meet(shard, wire),
      refused: () => {
        shard.refused = true
        this.#decide()
      },
    })
    const shard: Shard = new Shard(name, node)
    this.#shards.set(name, shard)
    this.#addresses.set(shard, given)
    return shard
  }

  /** A new connection: its record is read before anybody may use it. */
  async #meet(shard: Shard, wire: Wire): Promise<void> {
    const ask = async (command: string, args: readonly Arg[]): Promise<void> => {
      const askedMs = monotonicMs()
      const record = await wire.send(command, args, false).catch((error) => {
        throw wire.fault(error)
      })
      this.#hear(shard, record as readonly Reply[], askedMs)
      if (shard.fault !== undefined) throw shard.fault
    }
    await ask('HMGET', [this.keys.record, 'layout', 'self'])
    const { placement } = this
    // Without a list, one is decided on when the connection is up.
    if (placement === undefined) return void setImmediate(() => this.#decide())
    if (shard.heard !== null || !this.shards.includes(shard)) return
    // It has lost all that it had, or joins while another shard was away.
    const { keys, args } = this.#raiseWords(shard, placement.layout)
    await ask('EVAL', [RAISE.lua, keys.length, ...keys, ...args])
  }

  #raiseWords(shard: Shard, layout: Layout) {
    const { version, revision, phase } = layout
    const keys = [this.keys.record, this.keys.mover]
    return { keys, args: [version, revision, phase, shard.name, encodeLayout(layout), ''] }
  }

  /** Reads a shard's record, and writes ours where it is older. Rejects when it cannot be asked. */
  async read(shard: Shard, options: CallOptions): Promise<void> {
    const askedMs = monotonicMs()
    const record = await shard.node.call('HMGET', [this.keys.record, 'layout', 'self'], options)
    this.#hear(shard, record as readonly Reply[], askedMs)
    const { placement } = this
    if (placement === undefined || shard.fault !== undefined || !this.shards.includes(shard)) return
    if (shard.heard === null || isNewer(placement.layout, shard.heard))
      await this.#raise(shard, placement.layout, options)
  }

  async #raise(shard: Shard, layout: Layout, options: CallOptions): Promise<void> {
    const askedMs = monotonicMs()
    const { keys, args } = this.#raiseWords(shard, layout)
    this.#hear(shard, (await runOn(shard.node, RAISE, keys, args, options)) as readonly Reply[], askedMs)
  }

  /** What a shard's record says; it is the shard's own word that makes it usable. */
  #hear(shard: Shard, [text, self]: readonly Reply[], askedMs: number): void {
    if (this.#closed || this.#shards.get(shard.name) !== shard) return
    shard.fault = undefined
    if (self !== null && self !== undefined && self !== shard.name)
      return this.#doubt(shard, `this server is the shard '${self}', and the address calls it '${shard.name}'`)
    if (text === null || text === undefined) {
      shard.heard = null
      return
    }
    const layout = decodeLayout(String(text))
    if (layout === undefined)
      return this.#doubt(shard, `${this.keys.record} is of a form that this version cannot read`)
    shard.heard = layout
    const known = this.placement?.layout
    if (known === undefined && layout.version > 0) this.#adopt(layout)
    else if (known === undefined) this.#consider(layout)
    else if (areRelated(known, layout)) {
      if (isNewer(layout, known)) this.#adopt(layout)
    } else if (layout.version > 0 && known.version === 0) this.#adopt(layout)
    else if (layout.version > 0) {
      const [ours, its] = [showList(known.shards), showList(layout.shards)]
      return this.#doubt(shard, `this shard belongs to the list ${its}, and others to the list ${ours}`)
    } else if (known.version === 0) this.#settle()
    if (askedMs > shard.provenMs) shard.provenMs = askedMs
    this.#complete()
    this.#correct()
    this.#onProof()
  }

  #doubt(shard: Shard, why: string): void {
    shard.fault = new LinkFault(why, false)
    shard.heard = undefined
    shard.provenMs = Number.NEGATIVE_INFINITY
  }

  #adopt(layout: Layout): void {
    const before = this.placement
    const after = new Placement(layout)
    this.placement = after
    const named = shardsOf(layout)
    for (const [name, shard] of [...this.#shards]) {
      const wanted = named.find((one) => one.name === name)
      const isGiven = this.#given.some((one) => one.name === name)
      if (wanted === undefined || (!isGiven && wanted.address !== this.#addresses.get(shard))) this.#retire(shard)
    }
    for (const one of named) if (!this.#shards.has(one.name)) this.#add(one).node.open()
    const { trustMs } = trustIn(layout.phase)
    for (const shard of this.shards) shard.trustMs = trustMs
    this.#wholeSinceMs = undefined
    if (before === undefined) warnOfOtherList(this.#namespace, this.#given, layout)
    if (this.#polling !== undefined) this.#poll()
    this.#listener(before, after)
    if (layout.version === 1) this.#spread()
  }

  /** A list that has just become final is written at once to those that have it as a guess. */
  #spread(): void {
    const options = { ...POLL, timeoutMs: this.#ground.calls.timeoutMs, repeat: true }
    for (const shard of this.shards)
      if (shard.heard?.version === 0) this.#raise(shard, (this.placement as Placement).layout, options).catch(() => {})
  }

  #retire(shard: Shard): void {
    this.#shards.delete(shard.name)
    this.#addresses.delete(shard)
    this.#retired.add(shard)
    shard.provenMs = Number.NEGATIVE_INFINITY
    shard.node.handOver()
    const end = () => {
      this.#retired.delete(shard)
      shard.node.disown()
      shard.node.close()
    }
    setTimeout(end, GRACE_MS).unref()
  }

  /** A list that may not be whole: nobody may follow it before its other shards have been asked. */
  #consider({ shards }: Layout): void {
    const more = shards.filter(({ name }) => !this.#considered.some((one) => one.name === name))
    this.#considered = [...this.#considered, ...more]
    for (const one of more) if (!this.#shards.has(one.name)) this.#add(one).node.open()
    setImmediate(() => this.#decide())
  }

  /**
   * No shard has a final list. If none has any, the address that was given becomes the first one: written everywhere as version 0, which
   * never replaces another, and final when it is found on all of its shards. Where some are away, more than half have to agree, and
   * the list counts as a guess until the others have been asked.
   */
  #decide(): void {
    if (this.placement !== undefined || this.#isCreating || this.#closed || !this.#isAsked) return
    const isEmpty = ({ heard, node }: Shard) => heard === null && node.ready
    const lists = this.#firstLists
    const first = contest(lists, (name) => this.#shards.get(name)?.heard)
    if (first?.layout.version === 1 || first?.isGuess) return this.#adopt(first.layout)
    if (first === undefined && lists.length > 0) return
    const [layout, all] =
      first === undefined
        ? [firstLayout(this.#given, 0), this.shards]
        : [first.layout, this.shards.filter(({ name }) => first.layout.shards.some((one) => one.name === name))]
    const empty = all.filter(isEmpty)
    if (first === undefined ? empty.length * 2 <= all.length : empty.length === 0) return
    this.#isCreating = true
    void this.#create(layout, empty).then((isDone) => {
      this.#isCreating = false
      if (isDone) this.#decide()
    })
  }

  /** Lists that are not final, one of each origin. */
  get #firstLists(): readonly Layout[] {
    const heard = [...this.#shards.values()].map((shard) => shard.heard).filter((layout) => layout?.version === 0)
    return [...new Map(heard.map((layout) => [layout?.origin, layout as Layout])).values()]
  }

  /** Answers whether all have been written; if not, the next poll tries again. */
  async #create(first: Layout, empty: readonly Shard[]): Promise<boolean> {
    const options = { ...CREATE, timeoutMs: this.#ground.calls.timeoutMs }
    const written = await Promise.allSettled(empty.map((shard) => this.#raise(shard, first, options)))
    const denied = written.map((one) => one.status === 'rejected' && one.reason).find(isDenial)
    this.#denial = denied?.cause as ReplyFault | undefined
    if (denied !== undefined) this.#ground.refuse(denied)
    return written.every(({ status }) => status === 'fulfilled')
  }

  /** A shard that was away while a list was guessed has another one. */
  #settle(): void {
    const first = contest(this.#firstLists, (name) => this.#shards.get(name)?.heard)
    if (first?.layout.version === 1) this.#adopt(first.layout)
  }

  /** The guess of a first list is one no more when all of its shards have it. */
  #complete(): void {
    const layout = this.placement?.layout
    if (layout?.version !== 0) return
    const isHere = ({ name }: NamedAddress) => {
      const heard = this.#shards.get(name)?.heard
      return heard?.version === 0 && heard.origin === layout.origin
    }
    if (layout.shards.every(isHere)) this.#adopt({ ...layout, version: 1 })
  }

  /** A shard that this process was given another address for, and has met there: whoever learns addresses from the record gets that one. */
  #correct(): void {
    const layout = this.placement?.layout
    if (this.#isCorrected || layout === undefined || layout.phase !== 'stable' || layout.version === 0) return
    const given = new Map(this.#given.map(({ name, address }) => [name, address]))
    const others = layout.shards.filter(({ name, address }) => (given.get(name) ?? address) !== address)
    if (!others.every(({ name }) => this.#shards.get(name)?.heard)) return
    this.#isCorrected = true
    if (others.length === 0) return
    const shards = layout.shards.map(({ name, address }) => ({ name, address: given.get(name) ?? address }))
    this.#adopt({ ...layout, revision: layout.revision + 1, shards })
  }

  #poll(): void {
    clearTimeout(this.#polling)
    if (this.#closed) return
    const { pollMs } = trustIn(this.placement?.layout.phase)
    this.#polling = setTimeout(() => this.#poll(), pollMs).unref()
    const timeoutMs = Math.max(1_000, this.#ground.calls.timeoutMs)
    for (const shard of this.shards) {
      if (shard.isAsked || !shard.node.ready) continue
      shard.isAsked = true
      this.read(shard, { ...POLL, timeoutMs })
        .catch(() => {})
        .finally(() => {
          shard.isAsked = false
        })
    }
    this.#decide()
    this.#promote()
  }

  /**
   * Everybody has stopped, and the mover does not go on: once each shard has said for a while that all have stopped, the next step
   * is safe, and the same whoever takes it.
   */
  #promote(): void {
    const layout = this.placement?.layout
    const nowMs = monotonicMs()
    const isWhole =
      layout?.phase === 'stopped' &&
      this.shards.every((shard) => shard.isTrusted(nowMs) && shard.heard?.version === layout.version)
    if (!isWhole) this.#wholeSinceMs = undefined
    else this.#wholeSinceMs ??= nowMs
    if (layout === undefined || this.#wholeSinceMs === undefined || nowMs - this.#wholeSinceMs < PROMOTE_MS) return
    const options = { ...POLL, timeoutMs: this.#ground.calls.timeoutMs, repeat: true }
    const next: Layout = { ...layout, version: layout.version + 1, phase: 'pulling' }
    this.#wholeSinceMs = undefined
    for (const shard of this.shards) this.#raise(shard, next, options).catch(() => {})
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#polling)
    for (const { node } of [...this.#shards.values(), ...this.#retired]) node.close()
  }
}

const isDenial = (error: unknown) => error instanceof ServerError && error.code === 'SERVER_DENIED'
const CREATE = { operation: 'connect', repeat: true, needs: '+hmget +hset +hsetnx +eval +evalsha' } as const
const POLL = { operation: 'shards.read', repeat: false, needs: '+hmget' } as const
