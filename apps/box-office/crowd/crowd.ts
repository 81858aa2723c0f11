/**
 * The crowd of `npm start`: so many buyers about at once, each visiting one night after the other at a person's pace. They
 * like the nights that somebody is looking at in a browser, so that there is something to see, and always
 * leave some seats of each night for people.
 */

import { setMaxListeners } from 'node:events'
import type { EventCard } from '../catalogue/queries.ts'
import type { Hub } from '../live/hub.ts'
import { newCustomerId } from '../orders/number.ts'
import { type Marketplace, type Pace, pause, visit } from './buyer.ts'
import { type Random, seededRandom } from './random.ts'

const PACE: Pace = { thinkMs: 4_000, holdMs: 120_000, forgottenMs: 25_000, tries: 3 }
const REST_MS = 6_000
/** How many nights are the talk of the town. */
const FAVOURITES = 4
/** Of each night, so much is left for people. */
const LEFT_FOR_PEOPLE = 0.12

export interface Crowd {
  size(): number
  stop(): Promise<void>
}

export function startCrowd(
  size: number,
  place: Marketplace,
  hub: Hub,
  onFault: (error: unknown, what: string) => void,
): Crowd {
  const leaving = new AbortController()
  const signal = leaving.signal
  // Each buyer may be thinking, and each thought ends with the crowd.
  setMaxListeners(size * 2 + 10, signal)
  const seeds = seededRandom(Date.now() % 2 ** 31)
  const buyers = Array.from({ length: size }, () => live(seededRandom(seeds.below(2 ** 31))))

  async function live(random: Random): Promise<void> {
    await pause(random.between(0, REST_MS), signal)
    while (!signal.aborted) {
      try {
        await goOut(random)
      } catch (error) {
        if (!signal.aborted) onFault(error, 'a simulated buyer')
      }
      await pause(random.between(REST_MS / 4, REST_MS), signal)
    }
  }

  async function goOut(random: Random): Promise<void> {
    const event = chooseEvent(await place.catalogue.upcoming(), random)
    if (event === undefined) return
    const view = await hub.view(event.id)
    if (view === undefined) return
    try {
      let free = 0
      for (const state of view.map.states().values()) if (state === 'free') free += 1
      const idle = free < event.seats * LEFT_FOR_PEOPLE
      const states = () => view.map.states()
      await visit(place, view.night, { customer: newCustomerId(), random, pace: PACE, states, signal, idle })
    } finally {
      view.leave()
    }
  }

  function chooseEvent(events: readonly EventCard[], random: Random): EventCard | undefined {
    const open = events.filter((event) => event.status === 'on-sale')
    const watched = open.filter((event) => hub.isWatched(event.id))
    if (watched.length > 0 && random.chance(0.6)) return watched[random.below(watched.length)]
    return random.chance(0.9) ? open[random.below(Math.min(FAVOURITES, open.length))] : open[random.below(open.length)]
  }

  return {
    size: () => (signal.aborted ? 0 : size),
    async stop() {
      leaving.abort()
      await Promise.all(buyers)
    },
  }
}
