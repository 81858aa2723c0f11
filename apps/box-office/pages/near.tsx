import type { NearVenue } from '../near/near.ts'
import { plural } from './format.ts'
import { Layout } from './layout.tsx'
import { Poster } from './poster.tsx'

/** Asks where somebody is: by a city, or, where the browser can say it and is asked to, by its position. */
export const NearForm = ({ cities, city = '' }: { cities: readonly string[]; city?: string }) => (
  <form class="near-form" data-near action="/near" method="get">
    <div class="field">
      <label for="near-city">Near</label>
      <select id="near-city" name="city" required>
        <option value="">Choose a city</option>
        {cities.map((name) => (
          <option value={name} selected={name === city}>
            {name}
          </option>
        ))}
      </select>
    </div>
    <button class="button" type="submit">
      Show venues
    </button>
    <button class="button quiet" type="button" data-near-me hidden>
      Use my position
    </button>
  </form>
)

/** For a page of something else: what is found is shown below. */
export const NearYou = ({ cities }: { cities: readonly string[] }) => (
  <section class="near">
    <NearForm cities={cities} />
    <div data-near-results role="status" />
  </section>
)

export const NearVenues = ({ venues, where }: { venues: readonly NearVenue[]; where: string }) => (
  <div data-near-results role="status">
    <h2 class="near-title">{venues.length === 0 ? 'No venue has nights ahead.' : `Near ${where}`}</h2>
    <ul class="venues">
      {venues.map((venue) => (
        <li>
          <a class="venue-link" href={`/venues/${venue.id}`}>
            <Poster of={venue.id} class="venue-thumb" />
            <span class="venue-text">
              <strong dir="auto">{venue.name}</strong>
              <span>
                {venue.city} · {far(venue.distanceKm)}
              </span>
              <span class="muted">{plural(venue.nights, 'night')}</span>
            </span>
          </a>
        </li>
      ))}
    </ul>
  </div>
)

export const NearPage = (props: {
  cities: readonly string[]
  city: string
  venues: readonly NearVenue[]
  where: string
}) => (
  <Layout title="Near you" here="venues">
    <section class="hero">
      <h1>Close to home.</h1>
      <p class="lede">The nearest venues with nights ahead, as the crow flies.</p>
      <NearForm cities={props.cities} city={props.city} />
    </section>
    <NearVenues venues={props.venues} where={props.where} />
  </Layout>
)

function far(km: number): string {
  if (km < 1) return 'less than 1 km'
  return `${km < 10 ? km.toFixed(1) : Math.round(km).toLocaleString('en')} km`
}
