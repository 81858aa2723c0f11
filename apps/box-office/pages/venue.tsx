import type { Page } from '../catalogue/catalogue.ts'
import type { EventCard, Venue, VenueCard } from '../catalogue/queries.ts'
import { plural } from './format.ts'
import { EventList } from './home.tsx'
import { Layout } from './layout.tsx'
import { addressOf, Pager } from './pager.tsx'
import { Poster } from './poster.tsx'

export const VenuePage = ({ venue, events }: { venue: Venue; events: Page<EventCard> }) => (
  <Layout title={venue.name} here="venues">
    <section class="venue-head">
      <div>
        <p class="crumb">
          <a href={addressOf('/', { city: venue.city })}>{venue.city}</a>, {venue.country}
        </p>
        <h1 dir="auto">{venue.name}</h1>
        {venue.about === '' ? '' : <p class="lede">{venue.about}</p>}
        <dl class="facts">
          <Fact name="Capacity" value={venue.capacity.toLocaleString('en')} />
          {venue.opened === 0 ? (
            ''
          ) : (
            <Fact name="Opened" value={venue.opened < 1000 ? `AD ${venue.opened}` : `${venue.opened}`} />
          )}
          <Fact name="Where" value={coordinates(venue)} />
        </dl>
      </div>
      <Poster of={venue.id} class="venue-art" />
    </section>
    {events.total === 0 ? (
      <section class="notice">
        <h2>No nights are planned here.</h2>
        <p>
          <a class="button" href="/">
            See all events
          </a>
        </p>
      </section>
    ) : (
      <section class="month">
        <h2>{plural(events.total, 'night')}</h2>
        <EventList events={events.items} />
        <Pager {...events} address={(page) => addressOf(`/venues/${venue.id}`, { page: `${page}` })} />
      </section>
    )}
  </Layout>
)

export const VenuesPage = ({ venues }: { venues: Page<VenueCard> }) => (
  <Layout title="Venues" here="venues">
    <section class="hero">
      <h1>Where you will sit.</h1>
      <p class="lede">{plural(venues.total, 'venue')} with nights ahead, by city.</p>
    </section>
    <ul class="venues">
      {venues.items.map((venue) => (
        <li>
          <a class="venue-link" href={`/venues/${venue.id}`}>
            <Poster of={venue.id} class="venue-thumb" />
            <span class="venue-text">
              <strong dir="auto">{venue.name}</strong>
              <span>
                {venue.city}, {venue.country}
              </span>
              <span class="muted">
                {plural(venue.capacity, 'seat')} · {plural(venue.nights, 'night')}
              </span>
            </span>
          </a>
        </li>
      ))}
    </ul>
    <Pager {...venues} address={(page) => addressOf('/venues', { page: `${page}` })} />
  </Layout>
)

const Fact = ({ name, value }: { name: string; value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
)

function coordinates({ lat, lon }: Venue): string {
  return `${Math.abs(lat).toFixed(3)}° ${lat < 0 ? 'S' : 'N'}, ${Math.abs(lon).toFixed(3)}° ${lon < 0 ? 'W' : 'E'}`
}
