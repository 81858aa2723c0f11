import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { serverFlags } from '../flags.ts'
import type { RemoveFlags } from './rm.ts'

export const rmCommand = buildCommand<RemoveFlags, [], Context>({
  loader: async () => (await import('./rm.ts')).rm,
  parameters: {
    flags: {
      namespace: {
        kind: 'parsed',
        parse: (words: string) => words,
        brief: 'The namespace whose keys are removed. It has no default',
        placeholder: 'name',
      },
      yes: { kind: 'boolean', brief: 'Remove them. Default: count them', default: false, withNegated: false },
      ...serverFlags,
    },
  },
  docs: {
    brief: 'Remove everything in a namespace; without --yes, say what that is',
    fullDescription: `Removes every key of one namespace, on every server, in small steps, and no key of another. Without --yes it counts them and does
nothing. Stop the programs that use the namespace first: what they write meanwhile may stay. There is no way back.

  holdfast rm --namespace shop-staging
  holdfast rm --namespace shop-staging --yes`,
  },
})
