import { Holdfast } from '../../holdfast.ts'
import { inspectLimitUse, type RuleUse } from '../../limit/inspect.ts'
import { askConsent, type ConsentFlags } from '../consent.ts'
import type { Context } from '../context.ts'
import { printable } from '../terminal/printable.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'

export type ResetFlags = SpaceFlags & ConsentFlags

export async function reset(this: Context, flags: ResetFlags, name: string, id: string): Promise<void> {
  const terminal = this.terminal(flags)
  const shown = `what ${printable(id)} has used of ${printable(name)}`
  const done = await withHoldfast(this, flags, async (hf) => {
    const { rules, blockedMs } = await inspectLimitUse(Holdfast.redisOf(hf), name, id, { scan: true })
    if (rules.length === 0 && blockedMs === undefined) return false
    await askConsent(this, 'reset', `${shown} is forgotten, and its block ends`, flags)
    await hf.limiter(name, { rules: rulesWith(rules) }).reset(id)
    return true
  })
  if (flags.json) terminal.json({ name, id, reset: done })
  else terminal.data(done ? `Forgot ${shown}.` : `Nothing of ${printable(name)} counts for ${printable(id)}.`)
}

/** A limiter that knows where these rules are kept; those that have no key of their own go in any case. */
function rulesWith(rules: readonly RuleUse[]) {
  const own = rules.filter(({ algorithm }) => algorithm === 'log' || algorithm === 'concurrency').slice(0, 15)
  return [{ algorithm: 'fixed', perMs: 1 } as const, ...own].map(({ algorithm, perMs }) => ({
    ...{ limit: 1, per: perMs, algorithm },
  }))
}
