/**
 * One simulated buyer, from the first look to the end of his visit. He goes through the very functions that the pages go
 * through, and does what buyers do: changes his mind, forgets, sends a request twice, has no money on the card.
 */

import type { Holdfast } from 'holdfast'
import type { Catalogue } from '../catalogue/catalogue.ts'
import type { Figures } from '../figures/figures.ts'
import type { SeatState } from '../live/map-copy.ts'
import type { Desk, HoldAnswer, PayAnswer } from '../orders/desk.ts'
import type { Claim } from '../orders/order.ts'
import { Card } from '../payment/card.ts'
import { TEST_CARDS } from '../payment/test-bank.ts'
import type { Night } from '../seating/nights.ts'
import { SEATS_PER_CUSTOMER } from '../seating/nights.ts'
import { chooseSeats } from './demand.ts'
import type { Random } from './random.ts'

export interface Marketplace {
  readonly hf: Pick<Holdfast, 'stats'>
  readonly desk: Desk
  readonly catalogue: Catalogue
  readonly figures: Figures
}

export interface Pace {
  /** How long he thinks before each step, at the most. */
  readonly thinkMs: number
  /** How long he may take to pay. */
  readonly holdMs: number
  /** How long the seats of one who forgets are held. */
  readonly forgottenMs: number
  /** How often he chooses again when others were quicker. */
  readonly tries: number
}

export interface Visitor {
  readonly customer: string
  readonly random: Random
  readonly pace: Pace
  /** The map as he sees it. */
  readonly states: () => ReadonlyMap<string, SeatState>
  /** Ends his thinking. */
  readonly signal?: AbortSignal
  /** Looks and touches, but buys nothing. */
  readonly idle?: boolean
  /** Has made up his mind: whatever he gets, he buys. */
  readonly determined?: boolean
}

export type Ending = 'bought' | 'released' | 'forgot' | 'late' | 'declined' | 'refused' | 'unknown' | 'nothing-free'

type Intent = 'buy' | 'forget' | 'release' | 'late' | 'no-money'

export async function visit(place: Marketplace, night: Night, visitor: Visitor): Promise<Ending> {
  const { hf, desk, catalogue, figures } = place
  const { random, pace, customer } = visitor
  const think = () => pause(random.between(0, pace.thinkMs), visitor.signal)
  figures.count('buyers')

  await catalogue.upcoming()
  await think()
  await catalogue.event(night.eventId)
  const intent = intentOf(visitor)
  const wanted = partySize(random)

  if (random.chance(0.03)) await askTooMuch()
  for (let attempt = 0; attempt < pace.tries; attempt += 1) {
    await think()
    const seats = chooseSeats(night, visitor.states(), wanted, random)
    if (seats.length === 0) return 'nothing-free'
    // While he makes up his mind, others do too.
    await think()
    const answer = await hold(seats, attempt)
    if (answer.status === 'held') return keep(answer.claim)
    if (answer.status !== 'taken' && answer.status !== 'paused') return 'refused'
  }
  return 'refused'

  /** Asks once, or twice with the same word, at once or one after the other: it must make no difference. */
  async function hold(seats: readonly string[], attempt: number): Promise<HoldAnswer> {
    const holdMs = intent === 'forget' || intent === 'late' ? pace.forgottenMs : pace.holdMs
    const request = { eventId: night.eventId, customer, seats, key: `try-${attempt}-000`, holdMs }
    if (!random.chance(0.2)) return desk.hold(request)
    figures.count('repeatedHolds')
    if (random.chance(0.5)) {
      const { repeats } = hf.stats
      const [first, second] = await Promise.all([desk.hold(request), desk.hold(request)])
      // A server that died may have refused one and never seen the other, which then came later to the next.
      if (first.status !== second.status && hf.stats.repeats === repeats) figures.count('faults')
      return first.status === 'held' ? first : second
    }
    await desk.hold(request)
    return desk.hold(request)
  }

  async function askTooMuch(): Promise<void> {
    const seats = chooseSeats(night, visitor.states(), SEATS_PER_CUSTOMER + 1, random)
    if (seats.length <= SEATS_PER_CUSTOMER) return
    await desk.hold({ eventId: night.eventId, customer, seats, key: 'too-much-000', holdMs: pace.holdMs })
  }

  async function keep(claim: Claim): Promise<Ending> {
    await think()
    switch (intent) {
      case 'forget':
        figures.count('abandoned')
        return 'forgot'
      case 'release':
        await desk.release(claim)
        return 'released'
      case 'late':
        await pause(Math.max(0, claim.expiresAtMs - Date.now()) + 20, visitor.signal)
        return ending(await desk.pay(claim, cards.good))
      case 'no-money':
        await desk.pay(claim, random.chance(0.5) ? cards.declined : cards.empty)
        if (random.chance(0.5)) return ending(await desk.pay(claim, cards.good))
        await desk.release(claim)
        return 'declined'
      case 'buy': {
        if (!random.chance(0.15)) return ending(await desk.pay(claim, cards.good))
        // A form that is sent twice at once, and a page that is sent again later.
        const submit = 'submit-000'
        const send = () => desk.pay(claim, cards.good, { submit })
        const [first] = await Promise.all([send(), send()])
        await send()
        return ending(first)
      }
    }
  }
}

const cards = {
  good: cardOf(TEST_CARDS.succeeds),
  declined: cardOf(TEST_CARDS.declined),
  empty: cardOf(TEST_CARDS.insufficientFunds),
}

function cardOf(number: string): Card {
  return new Card(number.replaceAll(' ', ''))
}

function ending(answer: PayAnswer): Ending {
  if (answer.status === 'paid') return 'bought'
  if (answer.status === 'expired' || answer.status === 'gone') return 'late'
  if (answer.status === 'paused') return 'refused'
  return answer.status === 'settling' ? 'unknown' : 'declined'
}

function intentOf({ random, idle, determined }: Visitor): Intent {
  const luck = random.next()
  if (determined) return 'buy'
  if (idle) return luck < 0.5 ? 'release' : 'forget'
  if (luck < 0.7) return 'buy'
  if (luck < 0.8) return 'forget'
  if (luck < 0.89) return 'release'
  return luck < 0.94 ? 'no-money' : 'late'
}

/** Most come in twos. */
function partySize(random: Random): number {
  return [1, 2, 2, 2, 2, 3, 4, 4][random.below(8)] ?? 2
}

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (ms <= 0 || signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}
