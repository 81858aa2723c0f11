import { buildCommand, buildRouteMap } from '@stricli/core'
import { consentFlags } from '../consent.ts'
import type { Context } from '../context.ts'
import { spaceFlags } from '../with-holdfast.ts'
import type { ListFlags } from './ls.ts'
import type { RevokeFlags } from './revoke.ts'

const text = (words: string) => words
const user = { parse: text, placeholder: 'user', brief: 'As sessions.create(…, { userId }) has it' }
const setFlags = {
  set: {
    kind: 'parsed',
    parse: text,
    brief: 'As hf.sessions({ name }) has it. Default: default',
    placeholder: 'name',
    default: 'default',
  },
  ...spaceFlags,
} as const

const ls = buildCommand<ListFlags, [string], Context>({
  loader: async () => (await import('./ls.ts')).ls,
  parameters: { flags: setFlags, positional: { kind: 'tuple', parameters: [user] } },
  docs: {
    brief: 'The sessions of a user',
    fullDescription: `The sessions of a user, the last used first: their references, never their ids.

  holdfast session ls USR123 --namespace shop`,
  },
})

const revoke = buildCommand<RevokeFlags, [string, string?], Context>({
  loader: async () => (await import('./revoke.ts')).revoke,
  parameters: {
    flags: {
      all: { kind: 'boolean', brief: 'All sessions of this user', default: false, withNegated: false },
      ...consentFlags,
      ...setFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [user, { parse: text, placeholder: 'ref', brief: 'One session, as ls shows it', optional: true }],
    },
  },
  docs: {
    brief: 'End one session of a user, or all',
    fullDescription: `Ends one session of a user by its reference, or all, for good. Exit code 1 if there is no such session. Asks on a terminal, else
needs --yes.

  holdfast session revoke USR123 K3v9f0Qm2xYb7LdA --namespace shop --yes
  holdfast session revoke USR123 --all --namespace shop --yes`,
  },
})

export const sessionVerbs = buildRouteMap({
  routes: { ls, revoke },
  docs: { brief: 'Look at the sessions of a user, and end them' },
})
