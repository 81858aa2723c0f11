import { Holdfast } from '../../holdfast.ts'
import { inspectAny, type LockView } from '../../lock/inspect.ts'
import { askConsent, type ConsentFlags } from '../consent.ts'
import type { Context } from '../context.ts'
import { plural, span } from '../terminal/figures.ts'
import { printable } from '../terminal/printable.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'

/** A leader is told by his own process to resign, and a quorum's lock lies on servers that these know nothing of. */
export const BREAKABLE = ['lock', 'rwlock', 'semaphore'] as const
export type BreakableKind = (typeof BREAKABLE)[number]

export interface BreakFlags extends SpaceFlags, ConsentFlags {
  readonly kind: BreakableKind
}

export async function breakOne(this: Context, flags: BreakFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { kind, json } = flags
  const shown = `${kind} ${printable(name)}`
  const released = await withHoldfast(this, flags, async (hf) => {
    const view = await inspectAny(Holdfast.redisOf(hf), kind, name)
    if (view.state === 'free') return false
    await askConsent(this, 'break', `${shown} is taken from ${holdersOf(view)}, who may be at work`, flags)
    return release(hf, kind, view)
  })
  if (json) terminal.json({ kind, name, released })
  else terminal.data(released ? `Broke ${shown}.` : `Nobody has ${shown}.`)
}

function holdersOf({ holders }: LockView): string {
  const [first] = holders
  if (first === undefined || holders.length > 1) return plural(holders.length, 'holder')
  return `${printable(first.owner) || 'whoever has it'} (for ${span(first.heldForMs)})`
}

function release(hf: Holdfast, kind: BreakableKind, { name, holders }: LockView): Promise<boolean> {
  if (kind === 'lock') return hf.lock(name).forceRelease()
  if (kind === 'rwlock') return hf.rwLock(name).forceRelease()
  // How many there are in all only the program knows that has it. So many were out at once, and those who wait let in the rest themselves.
  const permits = Math.max(
    1,
    holders.reduce((sum, holder) => sum + holder.permits, 0),
  )
  return hf.semaphore(name, { permits }).forceRelease()
}
