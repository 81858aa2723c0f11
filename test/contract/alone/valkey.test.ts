import { expect, it } from 'vitest'
import { KINDS, noValkey, VARIANTS } from '../variants.ts'

it.skipIf(noValkey !== undefined)(
  `the contract is tried on Valkey too${noValkey === undefined ? '' : `: not here, since ${noValkey}`}`,
  () => {
    for (const product of ['redis', 'valkey'])
      expect(VARIANTS.filter((variant) => variant.product === product)).toHaveLength(2 * KINDS.length)
  },
)
