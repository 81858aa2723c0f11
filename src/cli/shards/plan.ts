import { planShards, type ShardPlan } from '../../ops/shards/index.ts'
import type { Context } from '../context.ts'
import { connectOptions, type ServerFlags } from '../flags.ts'
import { bytes, count, plural, seconds } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { table } from '../terminal/table.ts'

export interface PlanFlags extends ServerFlags {
  readonly to: string
  readonly namespace?: string | undefined
}

export async function plan(this: Context, flags: PlanFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const found = await planShards(shardOptions(this, flags))
  if (flags.json) terminal.json(found)
  else terminal.data(showPlan(found, terminal.paint))
}

export function shardOptions(context: Context, flags: PlanFlags) {
  const { to, namespace } = flags
  return {
    timeout: '2s' as const,
    ...connectOptions(context, flags),
    to,
    ...(namespace === undefined ? {} : { namespace }),
  }
}

export function showPlan(found: ShardPlan, paint: Paint): string {
  const { namespace, from, to, transfers, keys, keysMoving, share, bytesMoving, bytesError, takesMs } = found
  const head = `${paint('bold', namespace)}: ${from.join(', ')} → ${to.join(', ')}`
  if (found.isDone) return `${head}\nNothing to do: these are its shards.`
  const columns = [
    { title: 'FROM' },
    { title: 'TO' },
    { title: 'KEYS', align: 'right' as const },
    { title: 'ABOUT', align: 'right' as const },
  ]
  const rows = transfers.map((one) => [one.from, one.to, count(one.keys), bytes(one.bytes)])
  const error = bytesError === 0 ? '' : ` ± ${bytes(bytesError)}`
  const percent = (share * 100).toFixed(1)
  const warnings = [
    ...(found.unreachable.length > 0 ? [`Do not answer, so not counted: ${found.unreachable.join(', ')}`] : []),
    ...(found.occupied > 0 ? [`Shards to be added hold ${plural(found.occupied, 'key')} already`] : []),
    ...(found.strays > 0 ? [`${plural(found.strays, 'key')} lie where nobody looks for them`] : []),
  ]
  return [
    head,
    `${count(keysMoving)} of ${plural(keys, 'key')} move (${percent} %), about ${bytes(bytesMoving)}${error}, in about ${seconds(takesMs)} without other load`,
    ...warnings.map((warning) => paint('yellow', warning)),
    ...(rows.length > 0 ? ['', table(columns, rows, paint)] : []),
  ].join('\n')
}
