import { Holdfast } from '../../holdfast.ts'
import { inspectAny, type LockView, type LookedKind } from '../../lock/inspect.ts'
import type { Context } from '../context.ts'
import { plural, span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { table } from '../terminal/table.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'

export interface ShowFlags extends SpaceFlags {
  readonly kind: LookedKind
}

export async function show(this: Context, flags: ShowFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { kind, json } = flags
  const view = await withHoldfast(this, flags, (hf) => inspectAny(Holdfast.redisOf(hf), kind, name))
  if (json) terminal.json(viewAsJson({ kind, ...view }))
  else terminal.data(showView(kind, view, terminal.paint))
}

/** A fence has more digits than a number of JSON. */
export const viewAsJson = (view: LockView & { readonly kind: LookedKind }) => ({
  ...view,
  holders: view.holders.map((holder) => ({ ...holder, fence: String(holder.fence) })),
})

export function showView(kind: LookedKind, { name, state, holders, queue, waiting }: LockView, paint: Paint): string {
  const colour = state === 'held' ? 'yellow' : 'green'
  const lines = [
    `${kind} ${paint('bold', printable(name))}: ${paint(colour, state)}, ${plural(waiting, 'caller')} waiting`,
  ]
  const permits = (n: number) =>
    kind === 'semaphore' ? String(n) : kind === 'rwlock' ? (n > 1 ? 'writer' : 'reader') : ''
  if (holders.length > 0) {
    const columns = ['HELD BY', 'PERMITS', 'FENCE', 'FOR', 'ENDS IN'].map((title) => ({ title }))
    const rows = holders.map(({ owner, permits: n, fence, heldForMs, leftMs }) => [
      ...[printable(owner) || 'somebody', permits(n), String(fence), span(heldForMs), span(leftMs)],
    ])
    lines.push('', table(columns, rows, paint))
  }
  if (queue.length > 0) {
    const columns = ['WAITING', 'PERMITS', 'STATE'].map((title) => ({ title }))
    const rows = queue.map(({ owner, permits: n, alive }) => [
      ...[printable(owner) || 'somebody', permits(n), alive ? 'alive' : 'silent, will be passed over'],
    ])
    lines.push('', table(columns, rows, paint))
  }
  return lines.join('\n')
}
