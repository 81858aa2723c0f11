/** A bank that can be made slow or failing, to see what a shop does then. */

import { setTimeout as wait } from 'node:timers/promises'
import { BankAwayError, type PaymentProvider } from './provider.ts'

/** `slow`: answers long after anybody waits, and has done it all the same. `failing`: says at once that it can not, and has not. */
export const MOODS = ['well', 'slow', 'failing'] as const
export type Mood = (typeof MOODS)[number]

const SLOW_MS = 8_000

export interface MoodyBank extends PaymentProvider {
  mood: Mood
}

export function moodyBank(bank: PaymentProvider, slowMs = SLOW_MS): MoodyBank {
  async function bear(): Promise<void> {
    if (moody.mood === 'failing') throw new BankAwayError('it is being repaired')
    // Nobody's process is kept alive by an answer that nobody waits for.
    if (moody.mood === 'slow') await wait(slowMs, undefined, { ref: false })
  }
  async function after<T>(work: () => Promise<T>): Promise<T> {
    await bear()
    return work()
  }
  const moody: MoodyBank = {
    mood: 'well',
    authorise: (charge) => after(() => bank.authorise(charge)),
    capture: (key) => after(() => bank.capture(key)),
    void: (key) => after(() => bank.void(key)),
    lookup: (key) => after(() => bank.lookup(key)),
  }
  return moody
}
