/** Who looks and what is wanted, counted by analytics: pages, events, and how many of those who hold seats pay for them. */

import type { Analytics, Holdfast } from 'holdfast'
import type { Catalogue } from '../catalogue/catalogue.ts'

export interface AudienceReport {
  /** Of each of the last thirty minutes, the oldest first. */
  readonly views: readonly number[]
  readonly viewsLastHour: number
  /** Different people of the last day, about. */
  readonly visitors: number
  /** Of those who held seats in the last day, how many paid, 0 to 1; undefined while nobody held any. */
  readonly paidShare: number | undefined
  /** Which nights were looked at and held most in the last hour. */
  readonly wanted: readonly { readonly id: string; readonly name: string; readonly count: number }[]
}

export interface Audience {
  /** A page was shown; `customer` where we know who looked. */
  viewed(path: string, customer: string | undefined): void
  held(eventId: string, customer: string): void
  paid(customer: string, amount: bigint): void
  /** A limit said no: 'api', 'login'. */
  refused(limit: string): void
  /** As of a second ago at most; while Redis is away, what was known last. */
  report(): Promise<AudienceReport>
}

const FRESH_MS = 1_000
const MINUTES = 30
const NOBODY: AudienceReport = { views: [], viewsLastHour: 0, visitors: 0, paidShare: undefined, wanted: [] }

/** Addresses that are the same for everybody. What comes after any other one is somebody's own, and is not kept. */
const OPEN = /^\/(?:near|status|orders|(?:venues|events)(?:\/[^/]+)?)?$/

/** The event of a sale, told once by whoever wrote it down, with its `seats`. What customers are answered may be told twice. */
export const SOLD = 'seats_sold'

/** What is counted of visitors, for whoever reads more of it. */
export function audienceOf(hf: Pick<Holdfast, 'analytics'>): Analytics {
  return hf.analytics('audience')
}

export function createAudience(hf: Holdfast, catalogue: Catalogue): Audience {
  const site = audienceOf(hf)
  let known = NOBODY
  let atMs = Number.NEGATIVE_INFINITY
  let asking: Promise<AudienceReport> | undefined
  return {
    viewed(path, customer) {
      const who = customer === undefined ? {} : { visitor: customer }
      site.track('page_viewed', {}, who)
      site.hit('page', OPEN.test(path) ? path : `/${path.split('/', 2)[1]}`, who)
      const [, event] = /^\/events\/([^/]+)$/.exec(path) ?? []
      if (event !== undefined) site.hit('event', event, who)
    },
    held(eventId, customer) {
      site.hit('event', eventId, { visitor: customer })
      site.track('seats_held', {}, { visitor: customer })
    },
    paid(customer, amount) {
      site.track('order_paid', { amount: Number(amount) }, { visitor: customer })
    },
    refused(limit) {
      site.hit('refused', limit)
    },
    report() {
      if (performance.now() - atMs < FRESH_MS) return Promise.resolve(known)
      asking ??= read(site, catalogue)
        .then(
          (report) => {
            known = report
            atMs = performance.now()
            return report
          },
          () => known,
        )
        .finally(() => {
          asking = undefined
        })
      return asking
    },
  }
}

async function read(site: Analytics, catalogue: Catalogue): Promise<AudienceReport> {
  const [points, viewsLastHour, visitors, steps, top] = await Promise.all([
    site.series('page_viewed', { window: `${MINUTES}m`, step: '1m' }),
    site.count('page_viewed', { window: '1h' }),
    site.unique('page', { window: '1d' }),
    site.funnel(['seats_held', 'order_paid'], { window: '1d' }),
    site.top('event', 5, { window: '1h' }),
  ])
  const [held, paid] = steps
  const names = await Promise.all(top.map(({ item }) => catalogue.event(item)))
  return {
    views: points.slice(-MINUTES).map(({ count }) => count),
    viewsLastHour,
    visitors,
    paidShare: held === undefined || held.visitors === 0 ? undefined : paid?.share,
    wanted: top.flatMap(({ item, count }, i) => {
      const event = names[i]
      return event === undefined ? [] : [{ id: item, name: event.artist, count }]
    }),
  }
}
