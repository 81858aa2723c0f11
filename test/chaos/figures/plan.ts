import type { Position } from 'holdfast'

/** What a process counts under its own name: events, values of a metric, moves of a place. */
export type Kind = 'event' | 'value' | 'move'

export const SITE = 'site'
/** How often a process sends what it has counted. */
export const FLUSH_MS = 50
export const VANS = { split: 4 } as const
export const COOLDOWN_MS = 300
export const BREAKER = { failures: 3, cooldown: COOLDOWN_MS, shared: { timeout: 200 } } as const

/** Where a place is after so many moves: each is in another square. */
export const vanAt = (move: number): Position => ({ lon: (move % 300) - 150, lat: 10 })

/** What the figures of a namespace lie under: slots that are moved, and servers that are killed, are those of one of these. */
export const tagOf = (namespace: string, shard: number): string =>
  [`{${namespace}:analytics:${SITE}:0/1}`, `{${namespace}:geo:vans:1/4}`, `{${namespace}:breaker:payments}`][shard] ??
  ''
