import { monotonicMs } from '../../base/clock.ts'
import { type Crew, command, find, infoOf, isPrimary, type Member, type Picture } from './crew.ts'
import { ChangeRefusedError } from './errors.ts'

/** A planned failover that was not begun by then is given up by the server. */
const FAILOVER_AGAIN_MS = 5_500

/**
 * Lets a replica take over from its primary, as for planned work: the primary stops taking writes, the replica reads the rest, and
 * nothing is lost.
 *
 * which    the replica; or a primary: then its replica that is least behind
 * answers  the id of the new primary, when all nodes agree about it
 */
export async function failOver(crew: Crew, which: string): Promise<string> {
  const replica = await successor(await crew.look(), which)
  let askedMs = Number.NEGATIVE_INFINITY
  await crew.agree('failover', async ({ members }) => {
    const now = members.find(({ id }) => id === replica.id)
    if (now !== undefined && isPrimary(now)) return undefined
    if (monotonicMs() - askedMs > FAILOVER_AGAIN_MS) {
      askedMs = monotonicMs()
      await command(replica.node, 'CLUSTER', 'FAILOVER')
    }
    return `${replica.address} has not taken over`
  })
  // Who followed the old primary, and it itself, follow the new one.
  await crew.agree('failover', async ({ members }) => {
    for (const { address, node, seen, view } of members) {
      if (seen.primaryId !== replica.id || view === undefined) continue
      const link = (await infoOf(node, 'replication')).get('master_link_status')
      if (link !== 'up') return `the link of ${address} to ${replica.address} is ${link ?? 'not there'}`
    }
    return undefined
  })
  return replica.id
}

/** The replica that would take over. throws  ChangeRefusedError when there is none that could */
export async function successor(picture: Picture, which: string): Promise<Member> {
  const named = find(picture, which, 'node')
  return isPrimary(named) ? bestReplica(picture, named) : named
}

async function bestReplica({ members }: Picture, primary: Member): Promise<Member> {
  const replicas = members.filter(({ seen, view }) => seen.primaryId === primary.id && view !== undefined)
  const offsets = await Promise.all(
    replicas.map(async ({ node }) => {
      const info = await infoOf(node, 'replication')
      return info.get('master_link_status') === 'up' ? Number(info.get('slave_repl_offset')) : -1
    }),
  )
  const best = replicas[offsets.indexOf(Math.max(...offsets))]
  if (best === undefined || Math.max(...offsets) < 0)
    throw new ChangeRefusedError('failover', `${primary.address} has no replica with a link to it`)
  return best
}
