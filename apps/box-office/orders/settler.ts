/**
 * Brings to an end what was left in the middle: at start, what a crash left; then, every few seconds, orders
 * whose answer was never seen and money that is still reserved though its order has ended.
 */

import type { Figures } from '../figures/figures.ts'
import { awayForMs } from '../payment/careful-bank.ts'
import type { PaymentProvider } from '../payment/provider.ts'
import type { Desk } from './desk.ts'
import type { Ledger } from './ledger.ts'

const EVERY_MS = 5_000
/** Orders younger than this are somebody's, here or in another process. */
const PATIENCE_MS = 15_000

export interface SettlerOptions {
  readonly desk: Desk
  readonly ledger: Ledger
  readonly bank: PaymentProvider
  readonly figures: Figures
  readonly onFault?: (error: unknown, what: string) => void
}

export interface Settler {
  /** One round over everything older than `olderThanMs`. */
  run(olderThanMs: number): Promise<void>
  start(): void
  stop(): Promise<void>
}

export function createSettler({ desk, ledger, bank, figures, onFault }: SettlerOptions): Settler {
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | undefined

  /** While the bank is away nothing can be settled, and nobody needs to be told so every few seconds. */
  async function run(olderThanMs: number): Promise<void> {
    await settleAll(olderThanMs).catch((error: unknown) => {
      if (awayForMs(error) === undefined) throw error
    })
  }

  async function settleAll(olderThanMs: number): Promise<void> {
    for (const order of await ledger.pending(olderThanMs)) {
      const answer = await desk.settle(order).catch((error: unknown) => {
        if (awayForMs(error) !== undefined) throw error
        onFault?.(error, `settling ${order.number}`)
      })
      if (answer !== undefined && answer.status !== 'settling') figures.count('recovered')
    }
    for (const { payment, earned } of await ledger.unfinishedPayments()) {
      // The desk may be between its last two steps with this one; both do the same, and either may come first.
      if (earned) {
        await bank.capture(payment.id)
        await ledger.recordCaptured(payment.id)
      } else {
        await bank.void(payment.id)
        await ledger.recordVoided(payment.id, 'unfinished')
      }
    }
  }

  function tick(): void {
    round ??= run(PATIENCE_MS)
      .catch((error: unknown) => onFault?.(error, 'settling orders'))
      .finally(() => {
        round = undefined
      })
  }

  return {
    run,
    start() {
      timer ??= setInterval(tick, EVERY_MS)
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      await round
    },
  }
}
