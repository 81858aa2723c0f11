import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseInteger } from '../flags.ts'
import { spaceFlags } from '../with-holdfast.ts'
import type { KeysFlags } from './keys.ts'

export const keysCommand = buildCommand<KeysFlags, string[], Context>({
  loader: async () => (await import('./keys.ts')).keys,
  parameters: {
    flags: {
      limit: {
        kind: 'parsed',
        parse: parseInteger('--limit', 1, 100_000),
        brief: 'Most that are listed; the search ends there. Default: 100',
        placeholder: 'n',
        optional: true,
      },
      ...spaceFlags,
    },
    positional: {
      kind: 'array',
      parameter: {
        parse: (words: string) => words,
        placeholder: 'of',
        brief: 'A kind, and names as the program has them: cache product 42. Default: all kinds are counted',
      },
      maximum: 3,
    },
  },
  docs: {
    brief: 'What a namespace holds, and the keys of one thing in it',
    fullDescription: `Counts the keys of a namespace by what they are for; or lists those of a kind, of a name, or of one thing, with what they are and when
they end. Looks through the keys of every server once, in small steps. Changes nothing.

  holdfast keys --namespace shop
  holdfast keys cache product 42 --namespace shop
  holdfast keys lock payment:77 --json
  holdfast keys session-user default USR123`,
  },
})
