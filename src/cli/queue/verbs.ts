import { buildCommand, buildRouteMap } from '@stricli/core'
import { checkOneOf } from '../../base/check.ts'
import { HIGHEST_PRIORITY } from '../../queue/inspect.ts'
import type { Context } from '../context.ts'
import { changeFlags, parseDuration, parseInteger, serverFlags } from '../flags.ts'
import type { AddJobFlags, PurgeFlags, QueueChangeFlags, RedriveFlags, ReshapeFlags } from './change.ts'
import type { DeadFlags, PeekFlags } from './show.ts'
import type { NamespaceFlags } from './with-queue.ts'

const text = (words: string) => words
const oneOf =
  <T extends string>(option: string, choices: readonly T[]) =>
  (words: string): T =>
    checkOneOf(option, words as T, choices)

const queueFlags = {
  namespace: { kind: 'parsed', parse: text, brief: 'Default: hf', placeholder: 'name', optional: true },
  ...serverFlags,
} as const
const shapeFlags = {
  shards: {
    kind: 'parsed',
    parse: parseInteger('--shards', 1, 64),
    brief: 'Parts of the queue',
    placeholder: 'n',
    optional: true,
  },
  mode: {
    kind: 'parsed',
    parse: oneOf('--mode', ['stream', 'priority']),
    brief: 'How jobs wait: stream or priority',
    placeholder: 'mode',
    optional: true,
  },
  groupConcurrency: {
    kind: 'parsed',
    parse: parseInteger('--group-concurrency', 1, 1_000),
    brief: 'Jobs of one group that may run at the same time',
    placeholder: 'n',
    optional: true,
  },
} as const
const limitFlags = {
  limit: {
    kind: 'parsed',
    parse: parseInteger('--limit', 1, 1_000),
    brief: 'Most that are shown. Default: 20',
    placeholder: 'n',
    default: '20',
  },
} as const
const letterFlags = {
  id: { kind: 'parsed', parse: text, brief: 'These alone', placeholder: 'id', variadic: true, optional: true },
  reason: {
    kind: 'parsed',
    parse: oneOf('--reason', ['attempts', 'given-up', 'payload', 'expired', 'child', 'crash']),
    brief: 'Those that died of it: attempts, given-up, payload, expired or crash',
    placeholder: 'reason',
    optional: true,
  },
  since: {
    kind: 'parsed',
    parse: parseDuration('--since'),
    brief: 'Those that died within this time, such as 2h',
    placeholder: 'duration',
    optional: true,
  },
  match: {
    kind: 'parsed',
    parse: text,
    brief: 'Those with this text in their id, error or data',
    placeholder: 'text',
    optional: true,
  },
} as const
const queueName = { parse: text, placeholder: 'queue', brief: 'Its name' }
const positional = { kind: 'tuple', parameters: [queueName] } as const

const ls = buildCommand<NamespaceFlags, [], Context>({
  loader: async () => (await import('./show.ts')).ls,
  parameters: { flags: queueFlags },
  docs: {
    brief: 'All queues of a namespace, and what is in them',
    fullDescription: `All queues of a namespace that were ever used, and what is in them. Looks at every key, in lots.

  holdfast queue ls --namespace shop`,
  },
})

const stats = buildCommand<NamespaceFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).stats,
  parameters: { flags: queueFlags, positional },
  docs: {
    brief: 'Jobs by state, schedules, counts',
    fullDescription: `Jobs by state, schedules, and what handlers have counted.

  holdfast queue stats email --json`,
  },
})

const peek = buildCommand<PeekFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).peek,
  parameters: {
    flags: {
      page: {
        kind: 'parsed',
        parse: parseInteger('--page', 1, 10_000),
        brief: 'Which lot of so many. Default: 1',
        placeholder: 'n',
        default: '1',
      },
      ...limitFlags,
      ...queueFlags,
    },
    positional,
  },
  docs: {
    brief: 'The next jobs, without taking them',
    fullDescription: `Jobs as they lie there: those that run and those that are next, by priority; those of exact ranks; those of groups; those that are delayed. Takes none.

  holdfast queue peek email --limit 5 --page 2`,
  },
})

const dead = buildCommand<DeadFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).dead,
  parameters: { flags: { ...letterFlags, ...limitFlags, ...queueFlags }, positional },
  docs: {
    brief: 'Dead letters, the latest first',
    fullDescription: `Jobs that nobody runs any more, with the error of the last attempt, the latest first.

  holdfast queue dead email --reason crash --since 2h`,
  },
})

const simple = (verb: 'pause' | 'resume', brief: string) =>
  buildCommand<NamespaceFlags, [string], Context>({
    loader: async () => (await import('./change.ts'))[verb],
    parameters: { flags: queueFlags, positional },
    docs: { brief, fullDescription: `${brief}.\n\n  holdfast queue ${verb} email` },
  })

const drain = buildCommand<QueueChangeFlags, [string], Context>({
  loader: async () => (await import('./change.ts')).drain,
  parameters: { flags: { ...queueFlags, ...changeFlags }, positional },
  docs: {
    brief: 'Forget all jobs that wait',
    fullDescription: `Forgets all jobs that wait, for their turn or for their time. Those that run end. Needs --yes.

  holdfast queue drain email --dry-run`,
  },
})

const redrive = buildCommand<RedriveFlags, [string], Context>({
  loader: async () => (await import('./change.ts')).redrive,
  parameters: {
    flags: {
      preview: { kind: 'boolean', brief: 'Say which, and do nothing', default: false, withNegated: false },
      dryRun: { kind: 'boolean', brief: 'The same', default: false, withNegated: false },
      ...letterFlags,
      ...queueFlags,
    },
    positional,
  },
  docs: {
    brief: 'Give dead letters another life',
    fullDescription: `Gives dead letters another life, with all their attempts: all of them, or those that are chosen.

  holdfast queue redrive email --match ECONNREFUSED --preview`,
  },
})

const purge = buildCommand<PurgeFlags, [string], Context>({
  loader: async () => (await import('./change.ts')).purge,
  parameters: { flags: { ...letterFlags, ...queueFlags, ...changeFlags }, positional },
  docs: {
    brief: 'Forget dead letters',
    fullDescription: `Forgets dead letters: all of them, or those that are chosen. Needs --yes.

  holdfast queue purge email --yes`,
  },
})

const add = buildCommand<AddJobFlags, [string, string], Context>({
  loader: async () => (await import('./change.ts')).add,
  parameters: {
    flags: {
      id: { kind: 'parsed', parse: text, brief: 'An id of your own', placeholder: 'id', optional: true },
      delay: {
        kind: 'parsed',
        parse: parseDuration('--delay'),
        brief: 'How long from now it waits',
        placeholder: 'duration',
        optional: true,
      },
      priority: {
        kind: 'parsed',
        parse: parseInteger('--priority', -HIGHEST_PRIORITY, HIGHEST_PRIORITY),
        brief: 'Higher goes first; below zero after the others. Default: 0',
        placeholder: 'n',
        optional: true,
      },
      group: {
        kind: 'parsed',
        parse: text,
        brief: 'Jobs of one group run in their order',
        placeholder: 'name',
        optional: true,
      },
      ...shapeFlags,
      ...queueFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [queueName, { parse: text, placeholder: 'json', brief: 'What its handler is given' }],
    },
  },
  docs: {
    brief: 'Add a job',
    fullDescription: `Adds a job. What is said of the queue's shape counts where it is not there yet.

  holdfast queue add email '{"to":"a@example.com"}' --delay 5m`,
  },
})

const reshape = buildCommand<ReshapeFlags, [string], Context>({
  loader: async () => (await import('./change.ts')).reshape,
  parameters: { flags: { ...shapeFlags, ...queueFlags }, positional },
  docs: {
    brief: 'Another mode, number of shards or groupConcurrency',
    fullDescription: `Gives a queue without jobs another shape. Processes of the old one are refused by it until they are started with the new one. With another number of shards there may be no dead letters and no schedules either.

  holdfast queue reshape email --shards 4`,
  },
})

export const queueVerbs = buildRouteMap({
  routes: {
    ...{ ls, stats, peek, dead, drain, redrive, purge, add, reshape },
    pause: simple('pause', 'Nobody in the fleet begins another job'),
    resume: simple('resume', 'The fleet takes jobs again'),
  },
  docs: { brief: 'Look into queues, and act on them' },
})
