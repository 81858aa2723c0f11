/** The copies of the maps that somebody looks at, each let go a while after the last viewer has left. */

import type { Holdfast } from 'holdfast'
import type { Night, Nights } from '../seating/nights.ts'
import { followMap, type MapCopy } from './map-copy.ts'

const LINGER_MS = 30_000

export interface View {
  readonly night: Night
  readonly map: MapCopy
  leave(): void
}

export interface Hub {
  /** Look at an event's map; `leave` when done. Undefined when there is no such event. */
  view(eventId: string): Promise<View | undefined>
  viewers(): number
  /** Does anybody have this map open? */
  isWatched(eventId: string): boolean
  stop(): Promise<void>
}

interface Followed {
  readonly map: MapCopy
  viewers: number
  leaving: NodeJS.Timeout | undefined
}

export interface HubOptions {
  readonly nights: Nights
  readonly hf: Pick<Holdfast, 'stats'>
  readonly onFault: (error: unknown, what: string) => void
}

export function createHub({ nights, hf, onFault }: HubOptions): Hub {
  const followed = new Map<string, Followed>()
  let stopped = false

  function follow(night: Night): Followed {
    let entry = followed.get(night.eventId)
    if (entry === undefined) {
      const map = followMap(night.seats, {
        onFault: (error) => onFault(error, `following the map of ${night.eventId}`),
        onGone: () => nights.reopen(night),
        failovers: () => hf.stats.failovers,
      })
      entry = { map, viewers: 0, leaving: undefined }
      followed.set(night.eventId, entry)
    }
    clearTimeout(entry.leaving)
    entry.leaving = undefined
    return entry
  }

  return {
    async view(eventId) {
      const night = await nights.open(eventId)
      if (night === undefined || stopped) return undefined
      const entry = follow(night)
      entry.viewers += 1
      let here = true
      const view: View = {
        night,
        map: entry.map,
        leave() {
          if (!here) return
          here = false
          entry.viewers -= 1
          if (entry.viewers > 0 || stopped) return
          entry.leaving = setTimeout(() => {
            followed.delete(eventId)
            void entry.map.stop()
          }, LINGER_MS)
        },
      }
      try {
        await entry.map.ready()
      } catch (error) {
        view.leave()
        throw error
      }
      return view
    },
    viewers() {
      let sum = 0
      for (const entry of followed.values()) sum += entry.map.watchers()
      return sum
    },
    isWatched: (eventId) => (followed.get(eventId)?.map.watchers() ?? 0) > 0,
    async stop() {
      stopped = true
      const entries = [...followed.values()]
      followed.clear()
      for (const entry of entries) clearTimeout(entry.leaving)
      await Promise.all(entries.map((entry) => entry.map.stop()))
    },
  }
}
