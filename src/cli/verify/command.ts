import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { parseDuration } from '../flags.ts'
import { parseList, trialFlags } from '../on-servers.ts'
import type { VerifyFlags } from './verify.ts'

export const verifyCommand = buildCommand<VerifyFlags, [], Context>({
  loader: async () => (await import('./verify.ts')).verify,
  parameters: {
    flags: {
      only: {
        kind: 'parsed',
        parse: parseList,
        brief: 'Some checks alone, by id or first word: cache,lock,limit',
        placeholder: 'ids',
        optional: true,
      },
      quorum: {
        kind: 'parsed',
        parse: parseList,
        brief: 'Addresses of at least 3 servers that know nothing of each other, for the check of that name',
        placeholder: 'urls',
        optional: true,
      },
      namespace: {
        kind: 'parsed',
        parse: (words: string) => words,
        brief: 'Where to look: one that is empty. Default: verify-, and something that no other has',
        placeholder: 'name',
        optional: true,
      },
      deadline: {
        kind: 'parsed',
        parse: parseDuration('--deadline'),
        brief: 'How long one check may take. Default: 20s',
        placeholder: 'duration',
        optional: true,
      },
      ...trialFlags,
    },
  },
  docs: {
    brief: 'See whether every promise holds on your servers: a tick with a figure, or a cross with the reason',
    fullDescription: `Exercises every pattern on the servers that --url or REDIS_URL names, as two processes that race, and says for each whether
its promise was kept: a tick with a figure, or a cross with what was expected and what came. Exits with 1 when there is a cross.

All that it makes is in a namespace of its own and is removed at the end, also after Ctrl-C. It changes no setting of a server,
flushes nothing and kills nothing.

  holdfast verify
  holdfast verify --private cluster
  holdfast verify --url redis+cluster://127.0.0.1:7001 --only cache,lock --json`,
  },
})
