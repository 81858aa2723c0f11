import type { ClusterCheck } from '../../ops/cluster/index.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import type { ServerFlags } from '../flags.ts'
import { plural } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { withAdmin } from './with-admin.ts'

export async function check(this: Context, flags: ServerFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const found = await withAdmin(this, flags, (admin) => admin.check())
  if (flags.json) terminal.json(found)
  else terminal.data(showCheck(found, terminal.paint))
  this.process.exitCode = found.ok ? EXIT.ok : EXIT.failed
}

export function showCheck({ problems, status }: ClusterCheck, paint: Paint): string {
  const of = (wanted: string) => problems.filter(({ severity }) => severity === wanted)
  const [errors, warnings] = [of('error'), of('warning')]
  const head =
    problems.length === 0
      ? paint('green', `ok: nothing wrong with ${plural(status.nodes.length, 'node')}`)
      : `${paint(errors.length > 0 ? 'red' : 'yellow', plural(errors.length, 'error'))}, ${plural(warnings.length, 'warning')}`
  const lines = [...errors, ...warnings].map(({ severity, kind, message }) => {
    const mark = severity === 'error' ? paint('red', 'error  ') : paint('yellow', 'warning')
    return `${mark}  ${kind}: ${message}`
  })
  return [head, ...lines].join('\n')
}
