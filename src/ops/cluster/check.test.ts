import { expect, it } from 'vitest'
import { checkCluster } from './check.ts'
import type { Picture } from './crew.ts'
import type { ClusterStatus, NodeStatus } from './status.ts'

const node = (name: string, fields: Partial<NodeStatus> = {}): NodeStatus => ({
  id: name,
  address: name,
  reachedAt: name,
  role: 'primary',
  primaryId: undefined,
  slots: 100,
  ranges: [[0, 99]],
  openSlots: [],
  flags: ['master'],
  configEpoch: 1,
  reachable: true,
  fault: undefined,
  state: 'ok',
  keys: 0,
  memoryBytes: 1,
  link: undefined,
  lagBytes: undefined,
  version: '7.0.15',
  product: 'redis',
  ...fields,
})
const replica = (name: string, primaryId: string, fields: Partial<NodeStatus> = {}): NodeStatus =>
  node(name, { role: 'replica', primaryId, slots: 0, ranges: [], flags: ['slave'], link: 'up', ...fields })
const WELL = ['a', 'b', 'c'].flatMap((name) => [node(name), replica(`${name}2`, name)])

function kinds(nodes: readonly NodeStatus[], fields: Partial<ClusterStatus> = {}, epochs = [1, 2, 3]): string[] {
  const members = ['a', 'b', 'c'].map((id, i) => ({ id, view: { self: { epoch: epochs[i] } } }))
  const status: ClusterStatus = {
    state: 'ok',
    nodes,
    coverage: { owned: 16_384, total: 16_384, missing: [] },
    keys: 0,
    agreed: true,
    disagreement: undefined,
    ...fields,
  }
  const { ok, problems } = checkCluster({ members } as unknown as Picture, status)
  expect(ok).toBe(problems.every(({ severity }) => severity === 'warning'))
  return problems.map(({ kind }) => kind)
}

const instead = (name: string, fields: Partial<NodeStatus>) =>
  WELL.map((one) => (one.id === name ? { ...one, ...fields } : one))

it('finds nothing wrong with a cluster that is well', () => {
  expect(kinds(WELL)).toEqual([])
})

it.each([
  ['slots-uncovered', WELL, { coverage: { owned: 16_383, total: 16_384, missing: [[7, 7]] } }],
  ['nodes-disagree', WELL, { disagreement: 'b sees it otherwise' }],
  ['slots-open', instead('a', { openSlots: [{ slot: 1, state: 'migrating', peer: 'b' }] }), {}],
  ['node-failing', instead('a2', { flags: ['slave', 'fail?'] }), {}],
  ['node-not-serving', instead('b', { state: 'fail' }), {}],
  ['replica-link-down', instead('c2', { link: 'down' }), {}],
  ['primary-without-replica', WELL.filter(({ id }) => id !== 'a2'), {}],
  ['primary-without-slots', [...WELL, node('d', { slots: 0, ranges: [] })], {}],
  ['versions-differ', instead('a', { version: '7.2.1' }), {}],
  ['too-few-primaries', WELL.filter(({ id }) => !id.startsWith('c')), {}],
] as const)('finds %s', (kind, nodes, fields) => {
  expect(kinds(nodes, fields as Partial<ClusterStatus>)).toEqual([kind])
})

it('finds a node that cannot be asked, and a primary whose only replica that is', () => {
  expect(kinds(instead('a2', { reachable: false, fault: 'gone' }))).toEqual([
    'node-unreachable',
    'primary-without-replica',
  ])
})

it('finds two primaries of one config epoch', () => {
  expect(kinds(WELL, {}, [1, 2, 2])).toEqual(['epoch-collision'])
})
