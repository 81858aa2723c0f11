import { ConfigError } from '../../base/errors.ts'
import type { Context } from '../context.ts'
import type { ClusterChangeFlags } from './flags.ts'
import { progressOn, showReport, tellPlan } from './moving.ts'
import { withAdmin } from './with-admin.ts'

export interface MoveFlags extends ClusterChangeFlags {
  readonly from: string
  readonly to: string
  readonly count?: number | undefined
}

export async function move(this: Context, flags: MoveFlags, slots?: readonly number[]): Promise<void> {
  const terminal = this.terminal(flags)
  const { from, to, count, json, dryRun } = flags
  const wanted = slots ?? count
  if (wanted === undefined || (slots !== undefined && count !== undefined))
    throw new ConfigError('slots', 'slots such as 0-99,200, or --count', slots === undefined ? 'neither' : 'both')
  await withAdmin(this, flags, async (admin) => {
    if (dryRun) {
      const moves = await admin.planMove(wanted, from, to)
      return json ? terminal.json({ moves }) : tellPlan(terminal, moves)
    }
    const signal = this.interruption.handle()
    const report = await admin.move(wanted, from, to, { signal, onProgress: progressOn(terminal) })
    if (json) terminal.json(report)
    else terminal.data(`Moved ${showReport(report)}.`)
  })
}
