import { buildCommand, buildRouteMap } from '@stricli/core'
import type { Context } from '../context.ts'
import { changeFlags, parseDuration, parseInteger, serverFlags } from '../flags.ts'
import type { AddJobFlags, DeadFlags, QueueChangeFlags } from './change.ts'
import type { LimitFlags } from './show.ts'
import type { NamespaceFlags, QueueFlags } from './with-queue.ts'

const text = (words: string) => words

const namespaceFlags = {
  namespace: { kind: 'parsed', parse: text, brief: 'Default: hf', placeholder: 'name', optional: true },
  ...serverFlags,
} as const
const queueFlags = {
  shards: {
    kind: 'parsed',
    parse: parseInteger('--shards', 1, 64),
    brief: 'As in its options, where not all of them were used yet. Default: as many as were used',
    placeholder: 'n',
    optional: true,
  },
  ...namespaceFlags,
} as const
const limitFlags = {
  limit: {
    kind: 'parsed',
    parse: parseInteger('--limit', 1, 1_000),
    brief: 'Most that are shown. Default: 20',
    placeholder: 'n',
    default: '20',
  },
  ...queueFlags,
} as const
const deadFlags = {
  id: { kind: 'parsed', parse: text, brief: 'These alone', placeholder: 'id', variadic: true, optional: true },
  ...queueFlags,
  ...changeFlags,
} as const
const queueName = { parse: text, placeholder: 'queue', brief: 'Its name' }
const positional = { kind: 'tuple', parameters: [queueName] } as const

const ls = buildCommand<NamespaceFlags, [], Context>({
  loader: async () => (await import('./show.ts')).ls,
  parameters: { flags: namespaceFlags },
  docs: {
    brief: 'All queues of a namespace, and what is in them',
    fullDescription: `All queues of a namespace that were ever used, and what is in them. Looks at every key, in lots.

  holdfast queue ls --namespace shop`,
  },
})

const stats = buildCommand<QueueFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).stats,
  parameters: { flags: queueFlags, positional },
  docs: {
    brief: 'Jobs by state, schedules, counts',
    fullDescription: `Jobs by state, schedules, and what handlers have counted.

  holdfast queue stats email --json`,
  },
})

const peek = buildCommand<LimitFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).peek,
  parameters: { flags: limitFlags, positional },
  docs: {
    brief: 'The next jobs, without taking them',
    fullDescription: `Jobs that run, those that are next, and those that are delayed. Takes none.

  holdfast queue peek email --limit 5`,
  },
})

const dead = buildCommand<LimitFlags, [string], Context>({
  loader: async () => (await import('./show.ts')).dead,
  parameters: { flags: limitFlags, positional },
  docs: {
    brief: 'Dead letters, the latest first',
    fullDescription: `Jobs that nobody runs any more, with the error of the last attempt, the latest first.

  holdfast queue dead email`,
  },
})

const simple = (verb: 'pause' | 'resume', brief: string) =>
  buildCommand<QueueFlags, [string], Context>({
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

const redrive = buildCommand<DeadFlags, [string], Context>({
  loader: async () => (await import('./change.ts')).redrive,
  parameters: { flags: deadFlags, positional },
  docs: {
    brief: 'Give dead letters another life',
    fullDescription: `Gives dead letters another life, with all their attempts: all of them, or those of --id.

  holdfast queue redrive email --id order:7 --id order:8`,
  },
})

const purge = buildCommand<DeadFlags, [string], Context>({
  loader: async () => (await import('./change.ts')).purge,
  parameters: { flags: deadFlags, positional },
  docs: {
    brief: 'Forget dead letters',
    fullDescription: `Forgets dead letters: all of them, or those of --id. Needs --yes.

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
        parse: parseInteger('--priority', 0, 1_000),
        brief: 'Higher goes first. Default: 0',
        placeholder: 'n',
        optional: true,
      },
      ...queueFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [queueName, { parse: text, placeholder: 'json', brief: 'What its handler is given' }],
    },
  },
  docs: {
    brief: 'Add a job',
    fullDescription: `Adds a job.

  holdfast queue add email '{"to":"a@example.com"}' --delay 5m`,
  },
})

export const queueVerbs = buildRouteMap({
  routes: {
    ...{ ls, stats, peek, dead, drain, redrive, purge, add },
    pause: simple('pause', 'Nobody in the fleet begins another job'),
    resume: simple('resume', 'The fleet takes jobs again'),
  },
  docs: { brief: 'Look into queues, and act on them' },
})
