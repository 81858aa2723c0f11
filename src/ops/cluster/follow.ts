import { HoldfastError } from '../../base/errors.ts'
import { type Crew, command, infoOf, type Member } from './crew.ts'

/** Makes the node a replica, and waits until it has the primary's data. */
export async function follow(crew: Crew, id: string, primary: Member): Promise<void> {
  await crew.agree('replicate', async ({ members }) => {
    const replica = members.find((member) => member.id === id)
    if (replica?.view === undefined) return `${replica?.address ?? id} does not answer`
    if (replica.seen.primaryId !== primary.id) {
      try {
        await command(replica.node, 'CLUSTER', 'REPLICATE', primary.id)
      } catch (error) {
        // Not yet: refused until it has shaken hands with its primary. What stands in the way for good is said at the end.
        if (!(error instanceof HoldfastError)) throw error
        return error.message
      }
      return `${replica.address} is no replica of ${primary.address} yet`
    }
    const link = (await infoOf(replica.node, 'replication')).get('master_link_status')
    return link === 'up' ? undefined : `the link of ${replica.address} to ${primary.address} is ${link ?? 'not there'}`
  })
}
