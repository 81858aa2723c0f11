import { buildCommand, buildRouteMap } from '@stricli/core'
import type { Context } from '../context.ts'
import { changeFlags, serverFlags } from '../flags.ts'
import type { MoveFlags } from './move.ts'
import type { PlanFlags } from './plan.ts'

const text = (words: string) => words

const placeFlags = {
  to: {
    kind: 'parsed',
    parse: text,
    brief: 'The shards that there shall be: redis+shards://a=host:port,b=host:port',
    placeholder: 'url',
  },
  namespace: {
    kind: 'parsed',
    parse: text,
    brief: 'The namespace to move. Default: hf',
    placeholder: 'name',
    optional: true,
  },
  ...serverFlags,
} as const

const plan = buildCommand<PlanFlags, [], Context>({
  loader: async () => (await import('./plan.ts')).plan,
  parameters: { flags: placeFlags },
  docs: {
    brief: 'What would move, and about how long it would take',
    fullDescription: `Counts, by a scan of every shard, what would move. Changes nothing.

  holdfast shards plan --url redis+shards://a=h1,b=h2 --to redis+shards://a=h1,b=h2,c=h3`,
  },
})

const move = buildCommand<MoveFlags, [], Context>({
  loader: async () => (await import('./move.ts')).move,
  parameters: {
    flags: {
      force: {
        kind: 'boolean',
        brief: 'Go on although something is lost; needs --yes',
        default: false,
        withNegated: false,
      },
      ...placeFlags,
      ...changeFlags,
    },
  },
  docs: {
    brief: 'Move a namespace to other shards, while it is in use',
    fullDescription: `Moves a namespace to other shards, while it is in use. Run again, it goes on with a move that was broken off.

  holdfast shards move --url redis+shards://a=h1,b=h2 --to redis+shards://a=h1,b=h2,c=h3`,
  },
})

export const shardsVerbs = buildRouteMap({
  routes: { plan, move },
  docs: { brief: 'Add and remove servers of redis+shards://' },
})
