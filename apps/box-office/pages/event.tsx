import { formatMoney } from '../catalogue/prices.ts'
import type { EventDetail } from '../catalogue/queries.ts'
import type { MapCopy } from '../live/map-copy.ts'
import { type Night, SEATS_PER_CUSTOMER } from '../seating/nights.ts'
import { clock, longDate, plural } from './format.ts'
import { Layout } from './layout.tsx'
import { Poster } from './poster.tsx'
import { SeatMap } from './seat-map.tsx'

export interface EventPageProps {
  readonly event: EventDetail
  readonly night: Night
  readonly map: MapCopy
  /** Where the customer's unpaid seats of this night are, if he holds any. */
  readonly holding: { readonly url: string; readonly seats: readonly string[] } | undefined
}

export const EventPage = ({ event, night, map, holding }: EventPageProps) => {
  const { venue } = event
  return (
    <Layout title={`${event.artist}: ${event.title}`} here="browse">
      <section class="event-head">
        <Poster of={event.id} class="event-art" />
        <div>
          <p class="crumb">{event.genre}</p>
          <h1 dir="auto">{event.artist}</h1>
          <p class="event-title" dir="auto">
            {event.title}
          </p>
          <p class="lede" dir="auto">
            {event.about}
          </p>
          <p class="event-when">
            <strong>
              <time datetime={event.startsAt.toISOString()}>
                {longDate(event.startsAt, venue.zone)}, {clock(event.startsAt, venue.zone)}
              </time>
            </strong>
            <br />
            <a href={`/venues/${venue.id}`}>{venue.name}</a>, {venue.city}
          </p>
        </div>
      </section>
      {holding === undefined ? (
        ''
      ) : (
        <p class="banner">
          You are holding {plural(holding.seats.length, 'seat')} for this night. <a href={holding.url}>Go and pay</a>
        </p>
      )}
      <section
        class="chooser"
        data-seat-map
        data-event={event.id}
        data-mark={map.mark()}
        data-limit={SEATS_PER_CUSTOMER}
        data-prices={JSON.stringify(Object.fromEntries([...night.prices].map(([name, p]) => [name, p.toString()])))}
        data-money={JSON.stringify(moneyHints(event.currency))}
      >
        <div class="chooser-head">
          <h2>Choose your seats</h2>
          <p class="live" data-live data-live-state="off">
            <span class="live-dot" aria-hidden="true" />
            <span data-live-text>Connecting</span>
          </p>
        </div>
        <ul class="legend">
          {night.plan.levels.map((name, level) => (
            <li>
              <span class={`swatch t${level}`} aria-hidden="true" />
              {name}
              <strong>{formatMoney(event.prices[level] ?? 0n, event.currency)}</strong>
            </li>
          ))}
          <li>
            <span class="swatch chosen" aria-hidden="true" />
            Yours
          </li>
          <li>
            <span class="swatch held" aria-hidden="true" />
            On hold
          </li>
          <li>
            <span class="swatch sold" aria-hidden="true" />
            Sold
          </li>
        </ul>
        <div class="map-frame">
          <div class="map-tools">
            <button type="button" class="tool" data-zoom="in" aria-label="Larger map">
              +
            </button>
            <button type="button" class="tool" data-zoom="out" aria-label="Smaller map">
              −
            </button>
          </div>
          <div class="map-scroll" data-map-scroll>
            <SeatMap night={night} map={map} mine={holding?.seats ?? []} />
          </div>
        </div>
        <p class="hint" data-hint>
          Up to {SEATS_PER_CUSTOMER} seats. With the keyboard: Tab to the map, arrow keys to move, space to choose.
        </p>
        <noscript>
          <p class="banner">Choosing seats on the map needs JavaScript.</p>
        </noscript>
        <form class="basket" data-basket action={`/events/${event.id}/holds`} method="post">
          <div class="basket-text">
            <p class="basket-count" data-count>
              No seats chosen yet
            </p>
            <p class="basket-seats" data-list />
          </div>
          <p class="basket-total" data-total />
          <button class="button primary" type="submit" data-hold disabled>
            Hold seats
          </button>
        </form>
        <p class="visually-hidden" role="status" aria-live="polite" data-say />
        <p class="toast" data-toast hidden />
      </section>
    </Layout>
  )
}

/** What the script needs to write money as we do. */
function moneyHints(currency: string): { currency: string } {
  return { currency }
}
