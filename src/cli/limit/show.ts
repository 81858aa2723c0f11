import { Holdfast } from '../../holdfast.ts'
import { inspectLimitUse, type LimitUse, type RuleUse } from '../../limit/inspect.ts'
import type { Context } from '../context.ts'
import { span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'

export interface ShowFlags extends SpaceFlags {
  readonly scan: boolean
}

export async function show(this: Context, flags: ShowFlags, name: string, id: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { scan, json } = flags
  const use = await withHoldfast(this, flags, (hf) => inspectLimitUse(Holdfast.redisOf(hf), name, id, { scan }))
  if (json) return terminal.json(use)
  terminal.data(showUse(use, terminal.paint))
  if (!scan) terminal.note('Rules of log and concurrency are not looked for; --scan does.')
}

export function showUse({ name, id, blockedMs, rules }: LimitUse, paint: Paint): string {
  const head = `${paint('bold', printable(name))}, ${printable(id)}`
  const blocked = blockedMs === undefined ? '' : `, ${paint('red', `blocked for another ${span(blockedMs)}`)}`
  if (rules.length === 0) return `${head}: nothing counts${blocked}`
  const columns = [
    { title: 'ALGORITHM' },
    { title: 'PER' },
    { title: 'USED', align: 'right' as const },
    { title: 'WHEN' },
  ]
  const rows = rules.map((rule) => [rule.algorithm, span(rule.perMs), String(rule.used), whenOf(rule)])
  return [`${head}${blocked}`, '', table(columns, rows, paint)].join('\n')
}

function whenOf({ algorithm, seenMs, endsMs }: RuleUse): string {
  if (seenMs !== undefined) return `${span(seenMs)} ago, less since`
  if (endsMs === undefined) return ''
  return algorithm === 'fixed' ? `window ends in ${span(endsMs)}` : `the next ends in ${span(endsMs)}`
}
