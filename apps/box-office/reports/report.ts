/** What a report says: what was sold in a day, and who looked. Sales are SQL's; pages and refusals are analytics'. */

import type { Analytics } from 'holdfast'
import type { Database } from '../database/database.ts'

export interface Report {
  readonly from: Date
  readonly until: Date
  /** The nights that sold most, the best first. */
  readonly nights: readonly SoldNight[]
  /** Of all nights, by currency. */
  readonly totals: readonly { readonly currency: string; readonly seats: number; readonly revenue: bigint }[]
  readonly pages: readonly { readonly path: string; readonly views: number }[]
  /** Requests that a limit refused, by the limit. */
  readonly refused: readonly { readonly limit: string; readonly count: number }[]
}

export interface SoldNight {
  readonly id: string
  readonly artist: string
  readonly venue: string
  readonly seats: number
  /** Orders whose seats were gone when they were paid for: their money was let go. */
  readonly refunded: number
  readonly revenue: bigint
  readonly currency: string
}

const MOST_NIGHTS = 50
const MOST_PAGES = 10

export interface ReportSources {
  readonly db: Database
  readonly site: Analytics
}

/** Of the time from `from` to before `until`. */
export async function gather({ db, site }: ReportSources, from: Date, until: Date): Promise<Report> {
  // A window of analytics ends with the last moment that was: slots of a schedule are never ahead.
  const window = { window: until.getTime() - from.getTime(), until }
  const [nights, totals, pages, refused] = await Promise.all([
    db.query<{
      id: string
      artist: string
      venue: string
      seats: number
      refunded: number
      revenue: bigint
      currency: string
    }>(
      `select e.id, e.artist, v.name as venue, e.currency, coalesce(s.seats, 0)::int as seats,
         coalesce(s.revenue, 0)::bigint as revenue, coalesce(r.refunded, 0)::int as refunded
       from (
         select event_id, count(*) as seats, sum(price) as revenue from sales
         where sold_at >= $1 and sold_at < $2 group by event_id
       ) s
       full join (
         select event_id, count(*) as refunded from orders o
         where state in ('expired', 'gone', 'conflict') and settled_at >= $1 and settled_at < $2 group by event_id
       ) r on r.event_id = s.event_id
       join events e on e.id = coalesce(s.event_id, r.event_id)
       join venues v on v.id = e.venue_id
       order by seats desc, revenue desc, e.id limit ${MOST_NIGHTS}`,
      [from, until],
    ),
    db.query<{ currency: string; seats: number; revenue: bigint }>(
      `select o.currency, count(*)::int as seats, sum(s.price)::bigint as revenue
       from sales s join orders o on o.number = s.order_number
       where s.sold_at >= $1 and s.sold_at < $2 group by o.currency order by seats desc, o.currency`,
      [from, until],
    ),
    site.top('page', MOST_PAGES, window),
    site.top('refused', MOST_PAGES, window),
  ])
  return {
    ...{ from, until, nights, totals },
    pages: pages.map(({ item, count }) => ({ path: item, views: count })),
    refused: refused.map(({ item, count }) => ({ limit: item, count })),
  }
}

/** As text that keeps what JSON has no word for. */
export function packReport(report: Report): string {
  return JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? { minor: String(value) } : value))
}

export function unpackReport(text: string): Report {
  const report = JSON.parse(text, (_, value) => (typeof value?.minor === 'string' ? BigInt(value.minor) : value))
  return { ...report, from: new Date(report.from), until: new Date(report.until) }
}
