import { ConfigError } from '../../base/errors.ts'
import type { Context } from '../context.ts'
import { plural } from '../terminal/figures.ts'
import type { ClusterChangeFlags } from './flags.ts'
import { progressOn, showReport, tellPlan } from './moving.ts'
import { withAdmin } from './with-admin.ts'

export interface RebalanceFlags extends ClusterChangeFlags {
  readonly useEmpty: boolean
  readonly weight?: readonly string[] | undefined
}

export async function rebalance(this: Context, flags: RebalanceFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { useEmpty, json, dryRun } = flags
  const options = { useEmpty, weights: Object.fromEntries((flags.weight ?? []).map(readWeight)) }
  await withAdmin(this, flags, async (admin) => {
    if (!useEmpty) {
      const { nodes } = await admin.status()
      const empty = nodes.filter(({ role, slots }) => role === 'primary' && slots === 0)
      if (empty.length > 0)
        terminal.note(`${plural(empty.length, 'node')} without slots left out: --use-empty gives each its share.`)
    }
    if (dryRun) {
      const moves = await admin.planRebalance(options)
      return json ? terminal.json({ moves }) : tellPlan(terminal, moves)
    }
    const signal = this.interruption.handle()
    const report = await admin.rebalance({ ...options, signal, onProgress: progressOn(terminal) })
    if (json) terminal.json(report)
    else if (report.slots === 0) terminal.data('Each primary has its share already.')
    else terminal.data(`Moved ${showReport(report)}.`)
  })
}

function readWeight(text: string): [string, number] {
  const cut = text.lastIndexOf('=')
  const weight = Number(text.slice(cut + 1))
  if (cut < 1 || text.length === cut + 1 || !(weight >= 0))
    throw new ConfigError('--weight', 'node=number, such as 127.0.0.1:7001=2', text)
  return [text.slice(0, cut), weight]
}
