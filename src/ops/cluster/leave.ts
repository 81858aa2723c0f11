import { LEAST_PRIMARIES } from './check.ts'
import { type Crew, command, isPrimary, type Member, type Picture, primaries, slotsOf } from './crew.ts'
import { ChangeRefusedError } from './errors.ts'
import { follow } from './follow.ts'

/** Refuses what would leave the cluster unable to replace a primary, or to forget the node. */
export function expectRemovable(picture: Picture, member: Member, force: boolean): void {
  if (force) return
  const refuse = (why: string) => new ChangeRefusedError('remove', why)
  const owners = primaries(picture).filter((primary) => primary.id !== member.id && slotsOf(primary) > 0)
  if (isPrimary(member) && slotsOf(member) > 0) {
    if (owners.length < LEAST_PRIMARIES)
      throw refuse(
        `expected ${LEAST_PRIMARIES} primaries with slots to stay, received ${owners.length}: fewer cannot replace one that dies`,
      )
    if (member.view === undefined)
      throw refuse(
        `${member.address} cannot be asked, so its ${slotsOf(member)} slots cannot be moved: their keys would be lost`,
      )
  }
  const deaf = picture.members.find(({ id, view, seen }) => id !== member.id && view === undefined && seen.isWell)
  if (deaf !== undefined)
    throw refuse(`${deaf.address} cannot be told to forget it, and would make it known to the others again`)
}

/** Gives its replicas another primary, makes all forget it, and makes it a server alone, empty and of a new id. */
export async function expel(crew: Crew, id: string): Promise<void> {
  for (;;) {
    const picture = await crew.look()
    const orphan = picture.members.find(({ seen, view }) => seen.primaryId === id && view !== undefined)
    if (orphan === undefined) break
    await follow(crew, orphan.id, leastFollowed(picture, id))
  }
  const { members } = await crew.look()
  const leaving = members.find((member) => member.id === id)
  const others = members.filter((member) => member.id !== id && member.view !== undefined)
  await Promise.all(
    others
      .filter(({ view }) => view?.nodes.some((seen) => seen.id === id))
      .map(({ node }) => command(node, 'CLUSTER', 'FORGET', id)),
  )
  // HARD: with a new id it may come back at once; the old one is barred for a minute.
  if (leaving?.view !== undefined) await command(leaving.node, 'CLUSTER', 'RESET', 'HARD')
  await crew.agree('remove', ({ members: left }) => {
    const witness = left.find(({ view }) => view?.nodes.some((seen) => seen.id === id))
    return witness === undefined ? undefined : `${witness.address} still knows it`
  })
}

function leastFollowed(picture: Picture, leavingId: string): Member {
  const followers = ({ id }: Member) => picture.members.filter(({ seen }) => seen.primaryId === id).length
  const [least] = primaries(picture)
    .filter((member) => member.id !== leavingId && slotsOf(member) > 0 && member.view !== undefined)
    .sort((a, b) => followers(a) - followers(b))
  if (least === undefined) throw new ChangeRefusedError('remove', 'no other primary could take its replicas')
  return least
}
