import type { Page } from '../catalogue/catalogue.ts'
import { formatMoney } from '../catalogue/prices.ts'
import type { EventCard } from '../catalogue/queries.ts'
import { clock, monthOf, plural, shortDate } from './format.ts'
import { Layout } from './layout.tsx'
import { NearYou } from './near.tsx'
import { addressOf, Pager } from './pager.tsx'
import { Poster } from './poster.tsx'

export interface Filter {
  readonly query: string
  readonly city: string
  readonly from: string
  readonly to: string
}

export interface HomeProps {
  readonly found: Page<EventCard>
  /** How many nights there are in all, and where. */
  readonly nights: number
  readonly cities: readonly string[]
  readonly filter: Filter
}

export const Home = ({ found, nights, cities, filter }: HomeProps) => {
  const filtered = Object.values(filter).some((value) => value !== '')
  const address = (page: number) => addressOf('/', { q: filter.query, ...filter, query: '', page: `${page}` })
  return (
    <Layout title="Events" here="browse">
      <section class="hero">
        <h1>Find a seat for a good evening.</h1>
        <p class="lede">
          {plural(nights, 'night')} in {plural(cities.length, 'city', 'cities')}. Pick your seats on a live map.
        </p>
        <search>
          <form class="search" action="/" method="get" data-search>
            <label class="field search-text">
              <span>Search</span>
              <input type="search" name="q" value={filter.query} placeholder="Artist, title or venue" maxlength={80} />
            </label>
            <label class="field search-city">
              <span>City</span>
              <select name="city">
                <option value="">All cities</option>
                {cities.map((city) => (
                  <option value={city} selected={city === filter.city}>
                    {city}
                  </option>
                ))}
              </select>
            </label>
            <label class="field">
              <span>From</span>
              <input type="date" name="from" value={filter.from} />
            </label>
            <label class="field">
              <span>To</span>
              <input type="date" name="to" value={filter.to} />
            </label>
            <button class="button primary" type="submit">
              Search
            </button>
          </form>
        </search>
        <NearYou cities={cities} />
      </section>
      <div data-results>
        <p class="count" role="status">
          {filtered ? `${plural(found.total, 'event')} found.` : ''}
          {filtered ? <a href="/">Show all</a> : ''}
        </p>
        {found.total === 0 ? <Nothing filtered={filtered} /> : ''}
        {byMonth(found.items).map(({ label, events: month }) => (
          <section class="month">
            <h2>{label}</h2>
            <EventList events={month} />
          </section>
        ))}
        <Pager {...found} address={address} />
      </div>
    </Layout>
  )
}

const Nothing = ({ filtered }: { filtered: boolean }) => (
  <section class="notice">
    <h2>{filtered ? 'Nothing fits.' : 'No nights are planned.'}</h2>
    <p>{filtered ? 'Try fewer words, another city, or other days.' : 'Come back soon.'}</p>
    {filtered ? (
      <p>
        <a class="button" href="/">
          See all events
        </a>
      </p>
    ) : (
      ''
    )}
  </section>
)

export const EventList = ({ events }: { events: readonly EventCard[] }) => (
  <ul class="cards">
    {events.map((event) => (
      <li class="card">
        <a class="card-link" href={`/events/${event.id}`}>
          <Poster of={event.id} class="card-art" />
          <div class="card-text">
            <p class="card-when">
              {shortDate(event.startsAt, event.zone)} · {clock(event.startsAt, event.zone)}
            </p>
            <h3 dir="auto">{event.artist}</h3>
            <p class="card-title" dir="auto">
              {event.title}
            </p>
            <p class="card-where">
              {event.venue}, {event.city}
            </p>
            <p class="card-price">
              <Availability event={event} />
            </p>
          </div>
        </a>
      </li>
    ))}
  </ul>
)

const Availability = ({ event }: { event: EventCard }) => {
  const left = event.seats - event.sold
  if (event.status === 'sold-out' || left <= 0) return <span class="tag sold">Sold out</span>
  return (
    <>
      <span>from {formatMoney(event.from, event.currency)}</span>
      {left < event.seats * 0.15 ? <span class="tag">Last seats</span> : ''}
    </>
  )
}

function byMonth(events: readonly EventCard[]): { label: string; events: EventCard[] }[] {
  const months = new Map<string, { label: string; events: EventCard[] }>()
  for (const event of events) {
    const { key, label } = monthOf(event.startsAt, event.zone)
    const month = months.get(key) ?? { label, events: [] }
    month.events.push(event)
    months.set(key, month)
  }
  return [...months.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, month]) => month)
}
