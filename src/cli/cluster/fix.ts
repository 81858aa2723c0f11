import { showRanges } from '../../ops/cluster/index.ts'
import type { Context } from '../context.ts'
import { confirm } from '../flags.ts'
import { plural } from '../terminal/figures.ts'
import { showCheck } from './check.ts'
import type { ClusterChangeFlags } from './flags.ts'
import { progressOn } from './moving.ts'
import { withAdmin } from './with-admin.ts'

export interface FixFlags extends ClusterChangeFlags {
  readonly cover: boolean
}

export async function fix(this: Context, flags: FixFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { cover, json, dryRun } = flags
  await withAdmin(this, flags, async (admin) => {
    const { problems, ...rest } = await admin.check()
    const mendable = problems.filter(({ kind }) => kind === 'slots-open' || (cover && kind === 'slots-uncovered'))
    if (dryRun)
      return json
        ? terminal.json({ problems: mendable })
        : terminal.data(showCheck({ ...rest, problems: mendable }, terminal.paint))
    if (mendable.some(({ kind }) => kind === 'slots-uncovered'))
      confirm('fix', 'slots without owner begin anew, without the keys that their last owner held', flags)
    const signal = this.interruption.handle()
    const report = await admin.fix({ cover, signal, onProgress: progressOn(terminal) })
    if (json) return terminal.json(report)
    const { finished, closed, covered, keys } = report
    if (finished.length + closed.length + covered.length === 0) return terminal.data('No slot was open.')
    if (finished.length > 0) terminal.data(`Brought to their end, with ${plural(keys, 'key')}: ${showRanges(finished)}`)
    if (closed.length > 0) terminal.data(`Closed, nothing had to move: ${showRanges(closed)}`)
    if (covered.length > 0) terminal.data(`Have an owner again: ${showRanges(covered)}`)
  })
}
