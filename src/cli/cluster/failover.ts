import type { Context } from '../context.ts'
import { seconds } from '../terminal/figures.ts'
import type { ClusterChangeFlags } from './flags.ts'
import { withAdmin } from './with-admin.ts'

export async function failover(this: Context, flags: ClusterChangeFlags, node: string): Promise<void> {
  const terminal = this.terminal(flags)
  await withAdmin(this, flags, async (admin) => {
    const plan = await admin.planFailover(node)
    if (flags.dryRun)
      return flags.json ? terminal.json(plan) : terminal.data(`${plan.replica} would take over from ${plan.primary}.`)
    const startMs = performance.now()
    const primary = await admin.failover(plan.replica)
    if (flags.json) return terminal.json(primary)
    const passed = seconds(performance.now() - startMs)
    terminal.data(`${primary.address} has taken over from ${plan.primary}, and all nodes agree, after ${passed}.`)
  })
}
