/** A share of the buyers of one sale, so many at a time, in whichever process this is. */

import { type Ending, type Pace, visit } from '../crowd/buyer.ts'
import { seededRandom } from '../crowd/random.ts'
import type { Trade } from '../house.ts'
import { followMap } from '../live/map-copy.ts'

export interface Share {
  readonly eventId: string
  readonly seed: number
  /** The numbers of the buyers, which decide all they do. */
  readonly buyers: readonly number[]
  /** Their how-manyeth visit: those who were refused come again. */
  readonly round: number
  readonly atOnce: number
  /** How long each thinks before each step, at the most. Default 12 ms. */
  readonly thinkMs?: number
}

/** Nobody thinks long, so that the contest is real; who forgets blocks his seats for a second and a half. */
const PACE: Pace = { thinkMs: 12, holdMs: 60_000, forgottenMs: 1_500, tries: 6 }

/** Who comes for the third time forgets nothing and gives nothing back: so the night is sold to its end. */
const MIND_MADE_UP = 2

export async function sell(trade: Trade, share: Share): Promise<Map<number, Ending>> {
  const night = await trade.nights.open(share.eventId)
  if (night === undefined) throw new Error(`There is no event ${share.eventId}.`)
  const map = followMap(night.seats, {
    onFault(error) {
      trade.figures.count('faults')
      console.error(`following the map: ${error instanceof Error ? error.message : error}`)
    },
    failovers: () => trade.hf.stats.failovers,
  })
  await map.ready()
  const endings = new Map<number, Ending>()
  const pace: Pace = share.thinkMs === undefined ? PACE : { ...PACE, thinkMs: share.thinkMs }
  const queue = share.buyers[Symbol.iterator]()

  async function serve(): Promise<void> {
    for (const buyer of queue) {
      const random = seededRandom(share.seed * 1_000_003 + buyer * 101 + share.round)
      const customer = `buyer-${buyer}-${share.round}`
      const states = () => map.states()
      const determined = share.round >= MIND_MADE_UP
      endings.set(
        buyer,
        await visit(trade, night as NonNullable<typeof night>, { customer, random, pace, states, determined }),
      )
    }
  }

  try {
    await Promise.all(Array.from({ length: share.atOnce }, serve))
    return endings
  } finally {
    await map.stop()
  }
}
