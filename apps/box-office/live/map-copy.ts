/**
 * One copy of an event's seat map in this process, for all who look at it: read once, then kept true by the
 * event's stream of changes. However many viewers there are, Redis is asked by one.
 *
 * What a viewer has is told by a mark: which reading of the whole it goes back to, and the version, which is the map's own,
 * the id of the last change. A viewer who says his mark gets what changed since; one who is too far behind, or whose mark
 * is of another reading, gets the whole. After a failover the whole is read again: a server that took over may lack the last
 * changes of the one before, and count others under the same versions.
 */

import { randomBytes } from 'node:crypto'
import { HoldfastError } from 'holdfast'
import type { EventSeats } from '../seating/nights.ts'

export type SeatState = 'free' | 'held' | 'offered' | 'sold' | 'blocked'

export interface Update {
  /** What the viewer has when he has this. */
  readonly mark: string
  /** `all`: forget what you had. */
  readonly all: boolean
  readonly seats: ReadonlyMap<string, SeatState>
}

interface Past {
  readonly version: number
  readonly seats: readonly { readonly id: string; readonly state: SeatState }[]
}

/** Changes kept for those who come back. */
const MEMORY = 2_000
/** Changes are gathered this long before viewers are told. */
const GATHER_MS = 100
const RETRY_MS = 1_000
/** How often we ask whether what is shown is the present. */
const ASK_MS = 2_000
/** Viewers learn that Redis is away when it has not answered for so long: a failover may pass unnoticed. */
const SILENT_MS = 4_000

const LOOK_AGAIN = new Error('the map must be read again')

export interface MapCopy {
  /** Waits for the first reading; rejects when that cannot be done now. */
  ready(): Promise<void>
  /** What somebody has who is shown this copy now. */
  mark(): string
  state(seat: string): SeatState | undefined
  states(): ReadonlyMap<string, SeatState>
  /** What a viewer at `mark` must be told; undefined when he has all. */
  since(mark: string | undefined): Update | undefined
  /** False while it is not known whether this is still the present. */
  fresh(): boolean
  /** Called after every batch of changes, and when `fresh` turns, until the function it returns is called. */
  watch(told: () => void): () => void
  watchers(): number
  stop(): Promise<void>
}

export interface FollowOptions {
  readonly onFault: (error: unknown) => void
  /** Called when the event's seats are not in Redis. */
  readonly onGone?: () => Promise<unknown>
  /** How often another server has taken over so far. */
  readonly failovers: () => number
}

export function followMap(seats: EventSeats, { onFault, onGone, failovers }: FollowOptions): MapCopy {
  const states = new Map<string, SeatState>()
  const watchers = new Set<() => void>()
  const ending = new AbortController()
  const past: Past[] = []
  let version = 0
  let reading = ''
  let readAfter = 0
  let fresh = false
  /** The version just before the oldest change in `past`. */
  let base = 0
  let gathering: NodeJS.Timeout | undefined
  /** The reading that those wait for who came before there was anything to see. */
  let first = promised()

  async function readWhole(): Promise<void> {
    const before = failovers()
    const map = await seats.map()
    if (map.status === 'no-event') {
      await onGone?.()
      throw new Error('its seats were not in Redis')
    }
    states.clear()
    for (const seat of map.seats) states.set(seat.id, seat.state)
    past.length = 0
    version = map.version
    base = version
    reading = randomBytes(4).toString('hex')
    readAfter = before
    fresh = true
    first.resolve()
    tell()
  }

  async function follow(): Promise<void> {
    const following = new AbortController()
    const stopFollowing = () => following.abort(LOOK_AGAIN)
    ending.signal.addEventListener('abort', stopFollowing)
    // `changes` waits out an outage in silence; whether what is shown is the present, somebody must ask.
    let isAsked = false
    const asking = setInterval(async () => {
      if (failovers() !== readAfter) return stopFollowing()
      if (isAsked) return
      isAsked = true
      await ask(following.signal, stopFollowing)
      isAsked = false
    }, ASK_MS)
    try {
      for await (const change of seats.changes({ since: version, signal: following.signal })) {
        for (const seat of change.seats) states.set(seat.id, seat.state)
        version = change.version
        past.push({ version, seats: change.seats })
        if (past.length > MEMORY) {
          const dropped = past.splice(0, MEMORY / 2)
          base = dropped.at(-1)?.version ?? base
        }
        gathering ??= setTimeout(tell, GATHER_MS)
      }
    } finally {
      clearInterval(asking)
      ending.signal.removeEventListener('abort', stopFollowing)
    }
  }

  async function ask(following: AbortSignal, lookAgain: () => void): Promise<void> {
    const show = (isFresh: boolean) => following.aborted || turn(isFresh)
    const silence = setTimeout(show, SILENT_MS, false)
    const answer = await seats.counts().catch(() => undefined)
    clearTimeout(silence)
    if (answer?.status === 'no-event') return lookAgain()
    show(answer !== undefined)
  }

  function turn(isFresh: boolean): void {
    if (isFresh === fresh || ending.signal.aborted) return
    fresh = isFresh
    tell()
  }

  function tell(): void {
    clearTimeout(gathering)
    gathering = undefined
    for (const told of watchers) told()
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await readWhole()
        await follow()
      } catch (error) {
        if (ending.signal.aborted) return
        // A lost stream is in order: the whole is read again at once. Anything else is waited out.
        if (error === LOOK_AGAIN || (error instanceof HoldfastError && error.code === 'STREAM_LOST')) continue
        fresh = false
        tell()
        onFault(error)
        first.reject(error)
        if (version === 0) first = promised()
        await pause(RETRY_MS, ending.signal)
      }
    }
  }

  const markOf = (at: number) => `${reading}-${at}`

  /** Undefined when the mark is of another reading, or none. */
  function versionIn(mark = ''): number | undefined {
    const [of, at] = mark.split('-')
    return of === reading ? Number(at) : undefined
  }

  const running = run()

  return {
    ready: () => first.promise,
    mark: () => markOf(version),
    state: (seat) => states.get(seat),
    states: () => states,
    since(known) {
      const from = versionIn(known)
      if (from === version) return undefined
      const mark = markOf(version)
      const index = from === base ? -1 : past.findIndex((change) => change.version === from)
      if (index === -1 && from !== base) return { mark, all: true, seats: new Map(states) }
      const changed = new Map<string, SeatState>()
      for (const change of past.slice(index + 1)) for (const seat of change.seats) changed.set(seat.id, seat.state)
      return { mark, all: false, seats: changed }
    },
    fresh: () => fresh,
    watch(told) {
      watchers.add(told)
      return () => watchers.delete(told)
    },
    watchers: () => watchers.size,
    async stop() {
      ending.abort()
      clearTimeout(gathering)
      first.resolve()
      await running
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}

interface Promised {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

function promised(): Promised {
  let resolve = () => {}
  let reject = (_error: unknown) => {}
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Nobody may be waiting.
  promise.catch(() => {})
  return { promise, resolve, reject }
}
