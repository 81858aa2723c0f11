import { findProgram } from '../../src/testing/binary.ts'

/** Where keys live, one of each form that `connect` takes. */
export const KINDS = ['standalone', 'sentinel', 'cluster', 'shards'] as const

/** One of the ways in which the suites of this folder are run, each a project of its own. */
export interface Variant {
  readonly kind: (typeof KINDS)[number]
  readonly product: 'redis' | 'valkey'
  /** `limited`: a user who may do what the manifests of rights say, and nothing else. */
  readonly user: 'full' | 'limited'
}

/** Why the suites do not run on Valkey; undefined where they do. */
export const noValkey = findProgram('valkey-server') === undefined ? 'there is no valkey-server on the PATH' : undefined

/**
 * All that can be run here: Redis always, so that what is missing fails; Valkey where it is installed. As the limited user, who may do less
 * and so proves more, but on the one topology that people begin with: a Sentinel group's server asks of a user what a single one asks, and more.
 */
export const VARIANTS: readonly Variant[] = [
  { kind: 'standalone', product: 'redis', user: 'full' },
  ...KINDS.flatMap((kind): readonly Variant[] => [
    ...(kind === 'standalone' ? [] : [{ kind, product: 'redis', user: 'limited' } as const]),
    ...(noValkey === undefined ? [{ kind, product: 'valkey', user: 'limited' } as const] : []),
  ]),
]

/** Such as `cluster` or `cluster on valkey as limited user`. */
export function nameOf({ kind, product, user }: Variant): string {
  return [
    kind,
    ...(product === 'valkey' ? ['on valkey'] : []),
    ...(user === 'limited' ? ['as limited user'] : []),
  ].join(' ')
}
