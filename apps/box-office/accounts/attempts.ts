/** How often one may try to log in: few times for an account, from wherever it is tried, and some more from one address. */

import type { Holdfast } from 'holdfast'
import { ipKey, type Turn } from 'holdfast/limit'

/** Of one address, whichever accounts it tries: a household logs in from one. */
const PER_ADDRESS = { name: 'address', limit: 30, per: '10m' } as const
/** Of one account. A right password is not counted, so its owner meets this only behind somebody who guesses. */
const PER_ACCOUNT = { name: 'account', limit: 5, per: '5m' } as const

export interface Attempts {
  /** Counts a try before the password is looked at, so that many at once are counted too. Answers the turn that decides. */
  begin(address: string, account: string): Promise<Turn>
  /** The password was right. */
  succeeded(account: string): Promise<void>
}

export function createAttempts(hf: Holdfast): Attempts {
  const byAddress = hf.limiter('login-address', { rules: [PER_ADDRESS] })
  const byAccount = hf.limiter('login-account', { rules: [PER_ACCOUNT] })
  return {
    async begin(address, account) {
      const turn = await byAddress.consume(ipKey(address))
      return turn.allowed ? byAccount.consume(account) : turn
    },
    async succeeded(account) {
      await byAccount.refund(account)
    },
  }
}
