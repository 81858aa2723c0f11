import { buildCommand, buildRouteMap } from '@stricli/core'
import { parseSlots } from '../../ops/cluster/ranges.ts'
import type { Context } from '../context.ts'
import { parseInteger, type ServerFlags, serverFlags } from '../flags.ts'
import type { AddFlags } from './add.ts'
import type { FixFlags } from './fix.ts'
import { type ClusterChangeFlags, clusterChangeFlags } from './flags.ts'
import type { MoveFlags } from './move.ts'
import type { RebalanceFlags } from './rebalance.ts'
import type { RemoveFlags } from './remove.ts'

const text = (words: string) => words
const node = { parse: text, placeholder: 'node', brief: 'Its address, its id, or the first 8 digits of that' }

const status = buildCommand<ServerFlags, [], Context>({
  loader: async () => (await import('./status.ts')).status,
  parameters: { flags: serverFlags },
  docs: {
    brief: 'Nodes, roles, slots, keys, links',
    fullDescription: `Nodes, roles, slots, keys, links: what the nodes say of themselves and of each other.

  holdfast cluster status --url redis+cluster://127.0.0.1:7001
  holdfast cluster status --address-map 172.30.0.0/24=127.0.0.1 --json`,
  },
})

const check = buildCommand<ServerFlags, [], Context>({
  loader: async () => (await import('./check.ts')).check,
  parameters: { flags: serverFlags },
  docs: {
    brief: 'What is wrong; exit code 1 if anything is',
    fullDescription: `Slots without owner or left open, nodes that disagree or cannot be asked, replicas without link, primaries without
replica. Exit code 1 if there is an error; warnings alone leave it 0.

  holdfast cluster check && deploy`,
  },
})

const add = buildCommand<AddFlags, [string], Context>({
  loader: async () => (await import('./add.ts')).add,
  parameters: {
    flags: {
      replicaOf: {
        kind: 'parsed',
        parse: text,
        brief: 'The primary whose replica it becomes: address or id',
        placeholder: 'node',
        optional: true,
      },
      ...clusterChangeFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'address', brief: 'host:port of the server, as the nodes reach it' }],
    },
  },
  docs: {
    brief: 'Make an empty server a member',
    fullDescription: `Makes an empty server a member: a primary without slots, or a replica. Safe to run again.

  holdfast cluster add 127.0.0.1:7007
  holdfast cluster add 127.0.0.1:7008 --replica-of 127.0.0.1:7007`,
  },
})

const remove = buildCommand<RemoveFlags, [string], Context>({
  loader: async () => (await import('./remove.ts')).remove,
  parameters: {
    flags: {
      force: {
        kind: 'boolean',
        brief: 'Also where fewer than 3 primaries stay, or its keys are lost',
        default: false,
        withNegated: false,
      },
      ...clusterChangeFlags,
    },
    positional: { kind: 'tuple', parameters: [node] },
  },
  docs: {
    brief: 'Take a node out, its slots first',
    fullDescription: `Moves its slots to the other primaries, gives its replicas another primary, and takes it out. It ends as an empty
server alone: needs --yes.

  holdfast cluster remove 127.0.0.1:7008 --dry-run
  holdfast cluster remove 127.0.0.1:7008 --yes`,
  },
})

const rebalance = buildCommand<RebalanceFlags, [], Context>({
  loader: async () => (await import('./rebalance.ts')).rebalance,
  parameters: {
    flags: {
      useEmpty: {
        kind: 'boolean',
        brief: 'Primaries without slots get their share too',
        default: false,
        withNegated: false,
      },
      weight: {
        kind: 'parsed',
        parse: text,
        brief: 'A share beside the others: 2 gets twice as much, 0 nothing',
        placeholder: 'node=n',
        variadic: true,
        optional: true,
      },
      ...clusterChangeFlags,
    },
  },
  docs: {
    brief: 'Give each primary its share of the slots',
    fullDescription: `Gives each primary its share of the slots, moving as few as can be, while the cluster serves.

  holdfast cluster rebalance --use-empty
  holdfast cluster rebalance --weight 127.0.0.1:7001=2 --dry-run`,
  },
})

const move = buildCommand<MoveFlags, [(readonly number[])?], Context>({
  loader: async () => (await import('./move.ts')).move,
  parameters: {
    flags: {
      from: { ...node, kind: 'parsed', brief: 'The primary that has them' },
      to: { ...node, kind: 'parsed', brief: 'The primary that gets them' },
      count: {
        kind: 'parsed',
        parse: parseInteger('--count', 1, 16_384),
        brief: 'So many of the highest it has, instead of naming slots',
        placeholder: 'n',
        optional: true,
      },
      ...clusterChangeFlags,
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: parseSlots, placeholder: 'slots', brief: 'Such as 0-99,200', optional: true }],
    },
  },
  docs: {
    brief: 'Move slots from one primary to another',
    fullDescription: `Moves slots with their keys from one primary to another, while the cluster serves.

  holdfast cluster move 0-99,200 --from 127.0.0.1:7001 --to 127.0.0.1:7002
  holdfast cluster move --count 500 --from 127.0.0.1:7001 --to 127.0.0.1:7002`,
  },
})

const failover = buildCommand<ClusterChangeFlags, [string], Context>({
  loader: async () => (await import('./failover.ts')).failover,
  parameters: { flags: clusterChangeFlags, positional: { kind: 'tuple', parameters: [node] } },
  docs: {
    brief: 'Let a replica take over, as for planned work',
    fullDescription: `Lets a replica take over from its primary; of a primary, the replica that is least behind. Nothing is lost: the
primary stops taking writes until the replica has them all.

  holdfast cluster failover 127.0.0.1:7004`,
  },
})

const fix = buildCommand<FixFlags, [], Context>({
  loader: async () => (await import('./fix.ts')).fix,
  parameters: {
    flags: {
      cover: {
        kind: 'boolean',
        brief: 'Give slots without owner to a primary; needs --yes',
        default: false,
        withNegated: false,
      },
      ...clusterChangeFlags,
    },
  },
  docs: {
    brief: 'Close slots that a move left open',
    fullDescription: `Brings moves of slots to their end that were broken off, and takes marks away where nothing had moved.

  holdfast cluster fix`,
  },
})

export const clusterVerbs = buildRouteMap({
  routes: { status, check, add, remove, rebalance, move, failover, fix },
  docs: { brief: 'Look at a Redis Cluster and change it while it serves' },
})
