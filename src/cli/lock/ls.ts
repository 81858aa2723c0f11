import { Holdfast } from '../../holdfast.ts'
import { type LockList, type LookedKind, listLocks } from '../../lock/inspect.ts'
import type { Context } from '../context.ts'
import { plural, span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { type Column, table } from '../terminal/table.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'
import { viewAsJson } from './show.ts'

export interface ListFlags extends SpaceFlags {
  readonly kind?: LookedKind | undefined
  readonly limit?: number | undefined
}

export async function ls(this: Context, flags: ListFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { kind, limit = 100, json } = flags
  const options = kind === undefined ? { limit } : { limit, kinds: [kind] }
  const found = await withHoldfast(this, flags, async (hf) => {
    const redis = Holdfast.redisOf(hf)
    return { namespace: redis.keyspace.namespace, ...(await listLocks(redis, options)) }
  })
  if (json) return terminal.json({ ...found, locks: found.locks.map(viewAsJson) })
  terminal.data(showList(found, terminal.paint))
  if (!found.complete) terminal.note(`There may be more: the search ended with --limit ${limit}.`)
}

const COLUMNS: readonly Column[] = [
  { title: 'KIND' },
  { title: 'NAME' },
  { title: 'HELD BY' },
  { title: 'FOR', align: 'right' },
  { title: 'ENDS IN', align: 'right' },
  { title: 'WAITING', align: 'right' },
]

export function showList({ namespace, locks }: LockList & { readonly namespace: string }, paint: Paint): string {
  if (locks.length === 0) return `Nobody has a lock or waits for one in the namespace ${namespace}.`
  const rows = locks.map(({ kind, name, holders, waiting }) => {
    const [first] = holders
    const many = holders.length > 1 ? `${plural(holders.length, 'holder')}` : undefined
    return [
      { text: kind, colour: 'dim' as const },
      printable(name),
      many ?? (first === undefined ? '' : printable(first.owner) || 'somebody'),
      first === undefined ? '' : span(Math.max(...holders.map(({ heldForMs }) => heldForMs))),
      first === undefined ? '' : span(Math.max(...holders.map(({ leftMs }) => leftMs))),
      String(waiting),
    ]
  })
  return table(COLUMNS, rows, paint)
}
