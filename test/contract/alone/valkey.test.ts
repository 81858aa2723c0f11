import { expect, it } from 'vitest'
import { KINDS, noValkey, VARIANTS } from '../variants.ts'

it.skipIf(noValkey !== undefined)(
  `the contract is tried on Valkey too${noValkey === undefined ? '' : `: not here, since ${noValkey}`}`,
  () => {
    expect(VARIANTS.filter(({ product }) => product === 'valkey').map(({ kind }) => kind)).toEqual(KINDS)
  },
)
