import type { Context } from '../context.ts'
import { confirm } from '../flags.ts'
import type { ClusterChangeFlags } from './flags.ts'
import { progressOn, showReport, tellPlan } from './moving.ts'
import { withAdmin } from './with-admin.ts'

export interface RemoveFlags extends ClusterChangeFlags {
  readonly force: boolean
}

export async function remove(this: Context, flags: RemoveFlags, node: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { force, json, dryRun } = flags
  await withAdmin(this, flags, async (admin) => {
    const plan = await admin.planRemove(node, { force })
    if (dryRun) return json ? terminal.json({ moves: plan }) : tellPlan(terminal, plan)
    confirm('remove', `${node} leaves the cluster and is emptied`, flags)
    const signal = this.interruption.handle()
    const report = await admin.remove(node, { force, signal, onProgress: progressOn(terminal) })
    if (json) terminal.json(report)
    else terminal.data(`Removed ${node}: moved ${showReport(report)}. It is an empty server alone.`)
  })
}
