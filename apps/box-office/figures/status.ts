/** The live figures as the status page shows them: groups of words and values, so that page and JSON are one thing. */

import type { Holdfast } from 'holdfast'
import type { AudienceReport } from '../audience/audience.ts'
import type { Hub } from '../live/hub.ts'
import type { Board } from './board.ts'
import type { Figures } from './figures.ts'

export interface Status {
  readonly board: Board
  readonly groups: readonly StatusGroup[]
  readonly audience: AudienceReport
}

export interface StatusGroup {
  readonly name: string
  readonly figures: readonly { readonly label: string; readonly value: string }[]
}

export interface StatusSources {
  readonly board: Board
  readonly figures: Figures
  readonly hub: Hub
  readonly audience: AudienceReport
  readonly crowd: () => number
  readonly server: string
  readonly redis: Pick<Holdfast, 'server' | 'stats'>
  readonly database: string
}

export function statusOf({ board, figures, hub, audience, crowd, server, redis, database }: StatusSources): Status {
  const n = (...names: Parameters<Figures['of']>[0][]) =>
    names.reduce((sum, name) => sum + figures.of(name), 0).toLocaleString('en')
  const ratio = figures.cacheHitRatio
  return {
    ...{ board, audience },
    groups: [
      group('Sales', [
        ['Orders paid', n('paid')],
        ['Seats sold', n('seatsSold')],
        ['Receipts written', n('receipts')],
        ['Cards declined', n('declined')],
        ['Payments paused', n('paymentsPaused')],
        ['Too late to pay', n('expired', 'gone')],
        ['Sold twice, refused', n('conflict')],
      ]),
      group('House', [
        ['Viewers of seat maps', hub.viewers().toLocaleString('en')],
        ['Simulated buyers', crowd().toLocaleString('en')],
        ['Catalogue from cache', ratio === undefined ? '–' : `${(ratio * 100).toFixed(1)} %`],
        ['Over a rate limit', n('limited')],
        ['Settled after a fault', n('recovered')],
        ['Faults', n('faults')],
      ]),
      group('Running', [
        ['For', since(figures.since)],
        ['Seats in', server],
        ['Server', productOf(redis)],
        ['Sent again', redis.stats.repeats.toLocaleString('en')],
        ['Failovers', redis.stats.failovers.toLocaleString('en')],
        ['Orders in', database],
      ]),
      group('Holds', [
        ['Held', n('held')],
        ['Seat was taken', n('taken')],
        ['Over the limit', n('limit')],
        ['Given back', n('released')],
        ['Requests repeated', n('repeatedHolds', 'repeatedPayments')],
      ]),
      group('Audience', [
        ['Page views, last hour', audience.viewsLastHour.toLocaleString('en')],
        ['Visitors, last day', audience.visitors.toLocaleString('en')],
        [
          'Of those who held, paid',
          audience.paidShare === undefined ? '–' : `${(audience.paidShare * 100).toFixed(1)} %`,
        ],
      ]),
    ],
  }
}

function group(name: string, rows: readonly (readonly [string, string])[]): StatusGroup {
  return { name, figures: rows.map(([label, value]) => ({ label, value })) }
}

/** 'Redis 7.0.15, cluster' */
function productOf({ server }: Pick<Holdfast, 'server'>): string {
  if (server === undefined) return '–'
  const { product, version = '', mode } = server
  return `${product === 'redis' ? 'Redis' : 'Valkey'} ${version}${mode === undefined ? '' : `, ${mode}`}`
}

function since(at: number): string {
  const seconds = Math.floor((Date.now() - at) / 1_000)
  const minutes = Math.floor(seconds / 60)
  return minutes === 0
    ? `${seconds} s`
    : minutes < 60
      ? `${minutes} min ${seconds % 60} s`
      : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
