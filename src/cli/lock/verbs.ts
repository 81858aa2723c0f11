import { buildCommand, buildRouteMap } from '@stricli/core'
import { LOOKED_KINDS, type LookedKind } from '../../lock/inspect.ts'
import { consentFlags } from '../consent.ts'
import type { Context } from '../context.ts'
import { parseInteger } from '../flags.ts'
import { spaceFlags } from '../with-holdfast.ts'
import { BREAKABLE, type BreakableKind, type BreakFlags } from './break.ts'
import type { ListFlags } from './ls.ts'
import type { ShowFlags } from './show.ts'

const name = { parse: (words: string) => words, placeholder: 'name', brief: 'As hf.lock(name) has it' }

const ls = buildCommand<ListFlags, [], Context>({
  loader: async () => (await import('./ls.ts')).ls,
  parameters: {
    flags: {
      kind: { kind: 'enum', values: LOOKED_KINDS, brief: 'Only these. Default: all', optional: true },
      limit: {
        kind: 'parsed',
        parse: parseInteger('--limit', 1, 100_000),
        brief: 'Most that are shown; the search ends there. Default: 100',
        placeholder: 'n',
        optional: true,
      },
      ...spaceFlags,
    },
  },
  docs: {
    brief: 'Who has what, and how many wait',
    fullDescription: `Locks, leaders, readers-writer locks, semaphores and shares of quorums that somebody has or waits for. Looks through
the keys of every server once, in small steps.

  holdfast lock ls --namespace shop
  holdfast lock ls --kind semaphore --json`,
  },
})

const show = buildCommand<ShowFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).show,
  parameters: {
    flags: {
      kind: { kind: 'enum', values: LOOKED_KINDS, brief: 'What it is', default: 'lock' as LookedKind },
      ...spaceFlags,
    },
    positional: { kind: 'tuple', parameters: [name] },
  },
  docs: {
    brief: 'Who has one, and who waits for it',
    fullDescription: `Who has it, since when and until when, with which fence; and who waits for it, first come first.

  holdfast lock show payment:77 --namespace shop`,
  },
})

const breakOne = buildCommand<BreakFlags, [string], Context>({
  loader: async () => (await import('./break.ts')).breakOne,
  parameters: {
    flags: {
      kind: { kind: 'enum', values: BREAKABLE, brief: 'What it is', default: 'lock' as BreakableKind },
      ...consentFlags,
      ...spaceFlags,
    },
    positional: { kind: 'tuple', parameters: [name] },
  },
  docs: {
    brief: 'Take one away from whoever has it',
    fullDescription: `Takes it away from whoever has it, and gives it to the next in line. The old holder is told, and may be at work until
then: only what checks the fence is safe from him. Asks on a terminal, else needs --yes.

  holdfast lock break payment:77 --namespace shop --yes`,
  },
})

export const lockVerbs = buildRouteMap({
  routes: { ls, show, break: breakOne },
  docs: { brief: 'Look at locks, and break one' },
})
