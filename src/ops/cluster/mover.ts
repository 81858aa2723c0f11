import { monotonicMs, sleep } from '../../base/clock.ts'
import { HoldfastError, ServerError } from '../../base/errors.ts'
import type { Node } from '../../redis/node.ts'
import type { Arg } from '../../redis/wire.ts'
import { type Crew, command, isPrimary, type Member, type Picture } from './crew.ts'
import { ChangeUnfinishedError } from './errors.ts'
import { canMigrateSlots, migrateSlots } from './slot-migration.ts'

/** How far a move of slots has come. */
export interface MoveProgress {
  /** Slots that have their new owner. */
  readonly done: number
  readonly total: number
  /** Keys that were moved with them. */
  readonly keys: number
  /** Addresses of the two nodes between which slots move now. */
  readonly from: string
  readonly to: string
}

export interface MoveOptions {
  /** Told after each lot of slots. */
  readonly onProgress?: ((progress: MoveProgress) => void) | undefined
  /** Stops between two lots, when nothing is open; rejects with its reason then. */
  readonly signal?: AbortSignal | undefined
}

export interface Move {
  readonly from: Member
  readonly to: Member
  readonly slots: readonly number[]
}

/**
 * Slots that are open at a time. Each round of commands is one write, and a node saves its picture of the cluster once for all of
 * them: alone, a slot takes 4.5 ms, in lots of 128 a quarter of one.
 */
const LOT = 128
/** Slots that a server that can moves whole at a time. */
const WHOLE_LOT = 512
/** A MIGRATE stands in the way of everything else on both nodes: so much in one of them, and one key at least. */
const MOST_BYTES = 4 * 2 ** 20
const MOST_KEYS = 1_000
/** MIGRATEs sent at a time: a node works through what one connection has sent before it looks at the others. */
const MOST_AT_ONCE = 16
/** How long the two nodes may be silent to each other in the middle of a key; a key of a gigabyte takes seconds to read in. */
const MIGRATE_SILENCE_MS = 60_000
const MIGRATE_TRIES = 3
/** The target cannot take keys now, and soon can. */
const NOT_NOW = /Target instance replied with error: (CLUSTERDOWN|LOADING|BUSY |MASTERDOWN)/
const NOT_NOW_PAUSE_MS = 50

/**
 * Moves slots with all their keys between nodes that serve meanwhile, by the engine's own commands.
 *
 * For each slot: first the new owner takes keys in (IMPORTING), then the old one takes no new ones (MIGRATING), so that a slot
 * found empty stays so. Then its keys go over, and at last both and all others are told the new owner: the new one first, since
 * it alone then answers for the slot.
 */
export class Mover {
  readonly #crew: Crew
  readonly #operation: string
  readonly #options: MoveOptions
  #keys = 0

  constructor(crew: Crew, operation: string, options: MoveOptions) {
    this.#crew = crew
    this.#operation = operation
    this.#options = options
  }

  /** answers how many keys moved. throws  ChangeUnfinishedError; the signal's reason */
  async run(moves: readonly Move[], { members }: Picture): Promise<number> {
    const total = moves.reduce((sum, { slots }) => sum + slots.length, 0)
    const witnesses = members.filter((member) => isPrimary(member) && member.view !== undefined)
    let done = 0
    for (const { from, to, slots } of moves) {
      let isWhole = await canMigrateSlots(from, to)
      for (let start = 0; start < slots.length; ) {
        this.#options.signal?.throwIfAborted()
        const lot = slots.slice(start, start + (isWhole ? WHOLE_LOT : LOT))
        try {
          // What the servers will not do is done key by key, from there on.
          if (!isWhole) await this.#moveLot(from, to, lot, witnesses)
          else if (!(await this.#moveWhole(from, to, lot))) {
            isWhole = false
            continue
          }
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error
          const open = isWhole ? '' : `. Up to ${lot.length} slots are open until fix() or the next move closes them`
          throw new ChangeUnfinishedError(this.#operation, done, total, error.message + open, error)
        }
        start += lot.length
        done += lot.length
        this.#options.onProgress?.({ done, total, keys: this.#keys, from: from.address, to: to.address })
      }
    }
    return this.#keys
  }

  async #moveWhole(from: Member, to: Member, slots: readonly number[]): Promise<boolean> {
    const counts = await Promise.all(slots.map((slot) => command(from.node, 'CLUSTER', 'COUNTKEYSINSLOT', slot)))
    if (!(await migrateSlots(from, to, slots))) return false
    this.#keys += counts.reduce<number>((sum, count) => sum + Number(count), 0)
    return true
  }

  async #moveLot(from: Member, to: Member, slots: readonly number[], witnesses: readonly Member[]): Promise<void> {
    await setSlots(to, slots, 'IMPORTING', from.id)
    await setSlots(from, slots, 'MIGRATING', to.id)
    const counts = await Promise.all(slots.map((slot) => command(from.node, 'CLUSTER', 'COUNTKEYSINSLOT', slot)))
    const login = await this.#login()
    const target = targetOf(from, to)
    await this.#moveKeys(
      from,
      slots.filter((_, i) => Number(counts[i]) > 0),
      target,
      login,
    )
    await setSlots(to, slots, 'NODE', to.id)
    await setSlots(from, slots, 'NODE', to.id).catch(unlessDemoted)
    const others = witnesses.filter(({ id }) => id !== from.id && id !== to.id)
    // Who cannot be told now hears it from the new owner.
    await Promise.allSettled(others.map((other) => setSlots(other, slots, 'NODE', to.id)))
  }

  async #moveKeys(from: Member, slots: readonly number[], target: Target, login: readonly Arg[]): Promise<void> {
    let left = slots
    while (left.length > 0) {
      const batches = (await Promise.all(left.map((slot) => batchOf(from, slot)))).filter(({ keys }) => keys.length > 0)
      for (const group of groupsOf(batches))
        await Promise.all(group.map(({ keys }) => this.#migrate(from, keys, target, login)))
      // Until nothing is left: one look takes a bounded part of a slot.
      left = batches.map(({ slot }) => slot)
    }
  }

  async #migrate(from: Member, keys: readonly Buffer[], { host, port }: Target, login: readonly Arg[]): Promise<void> {
    // REPLACE: a key that an aborted MIGRATE left on both sides was served by its old owner, so that copy is the newer one.
    const args = [host, port, '', 0, MIGRATE_SILENCE_MS, 'REPLACE', ...login, 'KEYS', ...keys]
    const options = { operation: 'cluster.migrate', repeat: true, timeoutMs: 2 * MIGRATE_SILENCE_MS }
    const untilMs = monotonicMs() + this.#crew.settleTimeoutMs
    for (let attempt = 1; ; attempt++)
      try {
        await from.node.call('MIGRATE', args, options)
        this.#keys += keys.length
        return
      } catch (error) {
        if (!(error instanceof ServerError)) throw error
        if (NOT_NOW.test(error.message) && monotonicMs() < untilMs) await sleep(NOT_NOW_PAUSE_MS, this.#options.signal)
        else if (error.reply !== 'IOERR' || attempt >= MIGRATE_TRIES) throw error
      }
  }

  /** The nodes log in to each other as we log in to them. */
  async #login(): Promise<readonly Arg[]> {
    const { username, password } = this.#crew.settings.connection
    const secret = typeof password === 'function' ? await password() : password
    if (username !== undefined) return ['AUTH2', username, secret ?? '']
    return secret ? ['AUTH', secret] : []
  }
}

/** One that gave its last slot away follows the new owner, and may hear of that from it before it hears from us. */
function unlessDemoted(error: unknown): void {
  if (!(error instanceof ServerError && error.message.includes('SETSLOT only with masters'))) throw error
}

interface Target {
  readonly host: string
  readonly port: number
}

/** Where `from` itself reaches `to`: neither its announced name nor our address map may be known to it. */
function targetOf(from: Member, to: Member): Target {
  const seen = from.view?.nodes.find(({ id }) => id === to.id) ?? to.seen
  return { host: seen.ip, port: seen.port }
}

/** CLUSTER SETSLOT for many slots in one write. */
export async function setSlots(member: Member, slots: readonly number[], word: string, id?: string): Promise<void> {
  const to = id === undefined ? [] : [id]
  await Promise.all(slots.map((slot) => command(member.node, 'CLUSTER', 'SETSLOT', slot, word, ...to)))
}

interface Batch {
  readonly slot: number
  readonly keys: readonly Buffer[]
  readonly bytes: number
}

/** The next keys of a slot to go: all of it, or as much as one MIGRATE may take. Empty when none is left. */
async function batchOf({ node }: Member, slot: number): Promise<Batch> {
  const options = { operation: 'cluster.getkeysinslot', repeat: true, bytes: true }
  const found = (await node.call('CLUSTER', ['GETKEYSINSLOT', slot, MOST_KEYS], options)) as readonly Buffer[]
  const sizes = await Promise.all(found.map((key) => sizeOf(node, key)))
  let bytes = 0
  const tooMuch = sizes.findIndex((size, i) => {
    bytes += size
    return bytes > MOST_BYTES && i > 0
  })
  if (tooMuch < 0) return { slot, keys: found, bytes }
  return { slot, keys: found.slice(0, tooMuch), bytes: MOST_BYTES }
}

/** In bytes. One that has expired by now is looked for at the new owner (ASK), and has none. */
async function sizeOf(node: Node, key: Buffer): Promise<number> {
  try {
    return Number(await command(node, 'MEMORY', 'USAGE', key))
  } catch (error) {
    if (error instanceof ServerError && error.reply === 'ASK') return 0
    throw error
  }
}

/** Batches that may be under way together. */
function groupsOf(batches: readonly Batch[]): readonly (readonly Batch[])[] {
  const groups: Batch[][] = []
  let bytes = 0
  for (const batch of batches) {
    const group = groups.at(-1)
    if (group === undefined || group.length === MOST_AT_ONCE || bytes + batch.bytes > MOST_BYTES) {
      groups.push([batch])
      bytes = batch.bytes
    } else {
      group.push(batch)
      bytes += batch.bytes
    }
  }
  return groups
}
