import type { EventCard, Venue } from '../catalogue/queries.ts'
import { plural } from './format.ts'
import { EventList } from './home.tsx'
import { Layout } from './layout.tsx'

export const VenuePage = ({ venue, events }: { venue: Venue; events: readonly EventCard[] }) => (
  <Layout title={venue.name} here="browse">
    <section class="hero">
      <p class="crumb">
        <a href={`/?city=${encodeURIComponent(venue.city)}`}>{venue.city}</a>, {venue.country}
      </p>
      <h1>{venue.name}</h1>
      <p class="lede">{venue.about}</p>
      <dl class="facts">
        <div>
          <dt>Capacity</dt>
          <dd>{venue.capacity.toLocaleString('en')}</dd>
        </div>
        <div>
          <dt>Opened</dt>
          <dd>{venue.opened < 1000 ? `AD ${venue.opened}` : venue.opened}</dd>
        </div>
        <div>
          <dt>Where</dt>
          <dd>{coordinates(venue)}</dd>
        </div>
      </dl>
    </section>
    <section class="month">
      <h2>{events.length === 0 ? 'No nights planned' : plural(events.length, 'night')}</h2>
      <EventList events={events} />
    </section>
  </Layout>
)

function coordinates({ lat, lon }: Venue): string {
  return `${Math.abs(lat).toFixed(3)}° ${lat < 0 ? 'S' : 'N'}, ${Math.abs(lon).toFixed(3)}° ${lon < 0 ? 'W' : 'E'}`
}
