import { HoldfastError } from '../base/errors.ts'
import type { Context } from './context.ts'

/** What a verb takes that takes something away from somebody. */
export interface ConsentFlags {
  readonly yes: boolean
}

export const consentFlags = {
  yes: { kind: 'boolean', brief: 'Do it without asking', default: false, withNegated: false },
} as const

/** Resolves where it was said that this may be done: by `--yes`, or by who sits at the terminal. Else CHANGE_REFUSED. */
export async function askConsent(
  { ask }: Pick<Context, 'ask'>,
  verb: string,
  what: string,
  { yes }: ConsentFlags,
): Promise<void> {
  if (yes) return
  if (ask === undefined) throw new HoldfastError('CHANGE_REFUSED', `${verb}: ${what}; --yes does it`)
  const answer = await ask(`${what}. Do it? [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new HoldfastError('CHANGE_REFUSED', `${verb}: nothing was done`)
}
