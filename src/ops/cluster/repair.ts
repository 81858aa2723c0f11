import { SLOTS } from '../../redis/slots.ts'
import { type Crew, command, isPrimary, type Member, type Picture, primaries, slotsOf } from './crew.ts'
import { ChangeRefusedError } from './errors.ts'
import { type Move, type MoveOptions, Mover, setSlots } from './mover.ts'
import { type SlotRange, toRanges } from './ranges.ts'

export interface FixOptions extends MoveOptions {
  /**
   * Give slots that nobody owns to a primary: to the one that has keys of them, else to the one with the fewest slots. The keys that
   * their last owner held are not brought back by that. Default false.
   */
  readonly cover?: boolean
}

export interface FixReport {
  /** Slots whose move was brought to its end, at the new owner. */
  readonly finished: readonly SlotRange[]
  /** Slots whose move had not begun, or had ended: only marks were taken away. */
  readonly closed: readonly SlotRange[]
  /** Slots that nobody owned and that have an owner now. */
  readonly covered: readonly SlotRange[]
  /** Keys that were moved. */
  readonly keys: number
}

/** One slot that is open at one node or at both. */
interface OpenMove {
  readonly slot: number
  readonly owner: Member | undefined
  readonly isLeaving: boolean
  readonly target: Member | undefined
}

/**
 * Closes slots that a move left open. A move that began is brought to its end, never back: its keys are on both sides, and only the
 * way forward keeps the copy that was served. Where there is nothing at the target yet, or nothing left to do, the marks are
 * taken away.
 */
export async function fixSlots(crew: Crew, options: FixOptions): Promise<FixReport> {
  const picture = await crew.look()
  const covered = options.cover ? await coverSlots(picture) : []
  const forward: OpenMove[] = []
  const closed: number[] = []
  for (const open of openMoves(picture))
    if (await hasBegun(open)) forward.push(open)
    else closed.push(open.slot)
  await closeSlots(picture, closed)
  const moves = asMoves(forward)
  const keys = await new Mover(crew, 'fix', options).run(moves, picture)
  const finished = forward.map(({ slot }) => slot)
  await closeSlots(await crew.look(), finished)
  await crew.agree('fix', ({ members }) => {
    const open = members.find(({ view }) => (view?.self.open.length ?? 0) > 0)
    return open === undefined ? undefined : `${open.address} has open slots`
  })
  return { finished: toRanges(finished), closed: toRanges(closed), covered: toRanges(covered), keys }
}

function openMoves(picture: Picture): readonly OpenMove[] {
  const { members, trusted } = picture
  const slots = new Set(members.flatMap(({ view }) => view?.self.open.map(({ slot }) => slot) ?? []))
  return [...slots].map((slot) => {
    const owner = members.find(({ id }) => id === trusted.owners[slot])
    const marks = members.flatMap((member) =>
      (member.view?.self.open ?? []).filter((open) => open.slot === slot).map((open) => ({ member, ...open })),
    )
    const leaving = marks.find(({ member, state }) => state === 'migrating' && member.id === owner?.id)
    const taking = marks.find(({ member, state }) => state === 'importing' && member.id !== owner?.id)
    // What the owner says counts: that is where it sends whoever asks for a key that has gone.
    const target = members.find(({ id }) => id === leaving?.peer) ?? taking?.member
    return { slot, owner, isLeaving: leaving !== undefined, target: primaryOf(picture, target) }
  })
}

/** Itself, or who took its place: marks are not handed over in a failover, keys are. */
function primaryOf({ members }: Picture, member: Member | undefined): Member | undefined {
  if (member === undefined || isPrimary(member)) return member
  return members.find(({ id }) => id === member.seen.primaryId)
}

/** True when keys may stand on the other side. */
async function hasBegun({ slot, owner, isLeaving, target }: OpenMove): Promise<boolean> {
  if (owner === undefined || target === undefined || owner.id === target.id) return false
  for (const end of [owner, target])
    if (end.view === undefined)
      throw new ChangeRefusedError('fix', `slot ${slot} is on its way, and ${end.address} cannot be asked for its keys`)
  return isLeaving || Number(await command(target.node, 'CLUSTER', 'COUNTKEYSINSLOT', slot)) > 0
}

function asMoves(open: readonly OpenMove[]): readonly Move[] {
  const moves = new Map<string, { from: Member; to: Member; slots: number[] }>()
  for (const { slot, owner, target } of open) {
    if (owner === undefined || target === undefined) continue
    const pair = `${owner.id} ${target.id}`
    const move = moves.get(pair) ?? { from: owner, to: target, slots: [] }
    move.slots.push(slot)
    moves.set(pair, move)
  }
  return [...moves.values()]
}

/** Takes the marks away, and tells every primary who the owner is. */
async function closeSlots({ members, trusted }: Picture, slots: readonly number[]): Promise<void> {
  const wanted = new Set(slots)
  for (const member of members) {
    const open = [...new Set(member.view?.self.open.map(({ slot }) => slot) ?? [])].filter((slot) => wanted.has(slot))
    if (isPrimary(member)) await setSlots(member, open, 'STABLE')
  }
  const witnesses = members.filter((member) => isPrimary(member) && member.view !== undefined)
  for (const owner of witnesses) {
    const own = slots.filter((slot) => trusted.owners[slot] === owner.id)
    const ignorant = witnesses.filter(({ view }) => own.some((slot) => view?.owners[slot] !== owner.id))
    for (const witness of ignorant) await setSlots(witness, own, 'NODE', owner.id)
  }
}

async function coverSlots(picture: Picture): Promise<readonly number[]> {
  const { trusted } = picture
  const missing = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => trusted.owners[slot] === undefined)
  const holders = primaries(picture).filter(({ view }) => view !== undefined)
  const [least] = [...holders].sort((a, b) => slotsOf(a) - slotsOf(b))
  if (missing.length === 0 || least === undefined) return []
  const counts = await Promise.all(
    holders.map(({ node }) =>
      Promise.all(missing.map(async (slot) => Number(await command(node, 'CLUSTER', 'COUNTKEYSINSLOT', slot)))),
    ),
  )
  const heirs = new Map<Member, number[]>()
  missing.forEach((slot, i) => {
    const most = Math.max(...counts.map((count) => count[i] ?? 0))
    const heir = most === 0 ? least : (holders[counts.findIndex((count) => count[i] === most)] ?? least)
    heirs.set(heir, [...(heirs.get(heir) ?? []), slot])
  })
  for (const [heir, slots] of heirs) {
    await command(heir.node, 'CLUSTER', 'ADDSLOTSRANGE', ...toRanges(slots).flat())
    // By gossip alone it takes the others seconds to hear of it.
    const others = holders.filter(({ id }) => id !== heir.id)
    await Promise.all(others.map((other) => setSlots(other, slots, 'NODE', heir.id)))
  }
  return missing
}
