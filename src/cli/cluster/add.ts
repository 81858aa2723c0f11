import type { Context } from '../context.ts'
import { seconds } from '../terminal/figures.ts'
import type { ClusterChangeFlags } from './flags.ts'
import { withAdmin } from './with-admin.ts'

export interface AddFlags extends ClusterChangeFlags {
  readonly replicaOf?: string | undefined
}

export async function add(this: Context, flags: AddFlags, address: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { replicaOf } = flags
  const options = replicaOf === undefined ? {} : { replicaOf }
  const as = replicaOf === undefined ? 'a primary without slots' : `a replica of ${replicaOf}`
  await withAdmin(this, flags, async (admin) => {
    if (flags.dryRun) {
      const plan = await admin.planAdd(address, options)
      const from = plan.isMember ? 'It is a member; it' : 'It is empty and alone, and'
      return flags.json ? terminal.json(plan) : terminal.data(`${from} would become ${as}.`)
    }
    const startMs = performance.now()
    terminal.note(`adding ${address} as ${as}: waiting until every node knows it …`)
    const node = await admin.add(address, options)
    if (flags.json) return terminal.json(node)
    terminal.data(`Added ${node.address} (${node.id.slice(0, 8)}) as ${as} in ${seconds(performance.now() - startMs)}.`)
    if (replicaOf === undefined && node.slots === 0)
      terminal.note('holdfast cluster rebalance --use-empty gives it its share of the slots.')
  })
}
