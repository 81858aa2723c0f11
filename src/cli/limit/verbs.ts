import { buildCommand, buildRouteMap } from '@stricli/core'
import { consentFlags } from '../consent.ts'
import type { Context } from '../context.ts'
import { spaceFlags } from '../with-holdfast.ts'
import type { ResetFlags } from './reset.ts'
import type { ShowFlags } from './show.ts'

const text = (words: string) => words
const positional = {
  kind: 'tuple',
  parameters: [
    { parse: text, placeholder: 'name', brief: 'As hf.limiter(name, …) has it' },
    { parse: text, placeholder: 'id', brief: 'As limiter.consume(id) has it: an address as ipKey writes it, a user' },
  ],
} as const

const show = buildCommand<ShowFlags, [string, string], Context>({
  loader: async () => (await import('./show.ts')).show,
  parameters: {
    flags: {
      scan: {
        kind: 'boolean',
        brief: 'Also rules of log and concurrency: looks through the keys of the server that has this id',
        default: false,
        withNegated: false,
      },
      ...spaceFlags,
    },
    positional,
  },
  docs: {
    brief: 'What one id has used, and whether it is blocked',
    fullDescription: `What one id has used of each rule, and whether it is blocked. Changes nothing.

  holdfast limit show api 203.0.113.7 --namespace shop
  holdfast limit show uploads USR123 --scan --json`,
  },
})

const reset = buildCommand<ResetFlags, [string, string], Context>({
  loader: async () => (await import('./reset.ts')).reset,
  parameters: { flags: { ...consentFlags, ...spaceFlags }, positional },
  docs: {
    brief: 'Forget what one id has used, its permits and its block',
    fullDescription: `Forgets what one id has used, its permits and its block; for rules of log and concurrency it looks through the keys of the server
that has this id. Asks on a terminal, else needs --yes.

  holdfast limit reset api 203.0.113.7 --namespace shop --yes`,
  },
})

export const limitVerbs = buildRouteMap({
  routes: { show, reset },
  docs: { brief: 'Look at what an id has used of a limit, and forget it' },
})
