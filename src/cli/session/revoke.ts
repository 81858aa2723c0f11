import { ConfigError } from '../../base/errors.ts'
import { askConsent, type ConsentFlags } from '../consent.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { plural } from '../terminal/figures.ts'
import { printable } from '../terminal/printable.ts'
import { withHoldfast } from '../with-holdfast.ts'
import type { ListFlags } from './ls.ts'

export interface RevokeFlags extends ListFlags, ConsentFlags {
  readonly all: boolean
}

export async function revoke(this: Context, flags: RevokeFlags, user: string, ref?: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { all, set, json } = flags
  if (all === (ref !== undefined)) throw new ConfigError('ref', 'a reference, or --all', ref ?? 'neither')
  const what = ref === undefined ? 'every session' : `the session ${printable(ref)}`
  await askConsent(this, 'revoke', `${what} of ${printable(user)} ends, for good`, flags)
  const revoked = await withHoldfast(this, flags, async (hf) => {
    const sessions = hf.sessions({ name: set })
    return ref === undefined ? sessions.revokeAll(user) : Number(await sessions.revoke(user, ref))
  })
  if (json) terminal.json({ user, revoked })
  else terminal.data(`Ended ${plural(revoked, 'session')} of ${printable(user)}.`)
  if (ref !== undefined && revoked === 0) this.process.exitCode = EXIT.failed
}
