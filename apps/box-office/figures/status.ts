/** The live figures as the status page shows them: groups of words and values, so that page and JSON are one thing. */

import type { AudienceReport } from '../audience/audience.ts'
import type { Hub } from '../live/hub.ts'
import type { Figures, Timed } from './figures.ts'

export interface Status {
  readonly groups: readonly StatusGroup[]
  readonly audience: AudienceReport
}

export interface StatusGroup {
  readonly name: string
  readonly figures: readonly { readonly label: string; readonly value: string }[]
}

export interface StatusSources {
  readonly figures: Figures
  readonly hub: Hub
  readonly audience: AudienceReport
  readonly crowd: () => number
  readonly server: string
  readonly database: string
}

export function statusOf({ figures, hub, audience, crowd, server, database }: StatusSources): Status {
  const n = (...names: Parameters<Figures['of']>[0][]) =>
    names.reduce((sum, name) => sum + figures.of(name), 0).toLocaleString('en')
  const ratio = figures.cacheHitRatio
  return {
    audience,
    groups: [
      group('Sales', [
        ['Orders paid', n('paid')],
        ['Seats sold', n('seatsSold')],
        ['Cards declined', n('declined')],
        ['Too late to pay', n('expired', 'gone')],
        ['Sold twice, refused', n('conflict')],
      ]),
      group('Holds', [
        ['Held', n('held')],
        ['Seat was taken', n('taken')],
        ['Over the limit', n('limit')],
        ['Given back', n('released')],
        ['Requests repeated', n('repeatedHolds', 'repeatedPayments')],
      ]),
      group('Time', [
        ['Hold p50', ms(figures, 'hold', 0.5)],
        ['Hold p99', ms(figures, 'hold', 0.99)],
        ['Confirm p50', ms(figures, 'confirm', 0.5)],
        ['Confirm p99', ms(figures, 'confirm', 0.99)],
        ['Whole payment p50', ms(figures, 'pay', 0.5)],
      ]),
      group('House', [
        ['Viewers of seat maps', hub.viewers().toLocaleString('en')],
        ['Simulated buyers', crowd().toLocaleString('en')],
        ['Catalogue from cache', ratio === undefined ? '–' : `${(ratio * 100).toFixed(1)} %`],
        ['Over a rate limit', n('limited')],
        ['Settled after a fault', n('recovered')],
        ['Faults', n('faults')],
      ]),
      group('Audience', [
        ['Page views, last hour', audience.viewsLastHour.toLocaleString('en')],
        ['Visitors, last day', audience.visitors.toLocaleString('en')],
        [
          'Of those who held, paid',
          audience.paidShare === undefined ? '–' : `${(audience.paidShare * 100).toFixed(1)} %`,
        ],
      ]),
      group('Running', [
        ['For', since(figures.since)],
        ['Seats in', server],
        ['Orders in', database],
      ]),
    ],
  }
}

function group(name: string, rows: readonly (readonly [string, string])[]): StatusGroup {
  return { name, figures: rows.map(([label, value]) => ({ label, value })) }
}

function ms(figures: Figures, name: Timed, share: number): string {
  const histogram = figures.timed(name)
  return histogram.count === 0 ? '–' : `${histogram.percentile(share).toFixed(2)} ms`
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
