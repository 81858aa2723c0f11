import { formatMoney } from '../catalogue/prices.ts'
import type { EventCard } from '../catalogue/queries.ts'
import { clock, monthOf, plural, shortDate } from './format.ts'
import { Layout } from './layout.tsx'
import { Poster } from './poster.tsx'

export interface Filter {
  readonly query: string
  readonly city: string
  readonly from: string
}

export interface HomeProps {
  readonly events: readonly EventCard[]
  readonly all: readonly EventCard[]
  readonly filter: Filter
}

export const Home = ({ events, all, filter }: HomeProps) => {
  const cities = [...new Set(all.map((event) => event.city))].sort()
  const filtered = filter.query !== '' || filter.city !== '' || filter.from !== ''
  return (
    <Layout title="Events" here="browse">
      <section class="hero">
        <h1>Find a seat for a good evening.</h1>
        <p class="lede">
          {plural(all.length, 'night')} in {plural(cities.length, 'city', 'cities')}. Pick your seats on a live map.
        </p>
        <search>
          <form class="search" action="/" method="get">
            <label class="field grow">
              <span>Search</span>
              <input type="search" name="q" value={filter.query} placeholder="Artist, title or venue" maxlength={80} />
            </label>
            <label class="field">
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
            <button class="button primary" type="submit">
              Search
            </button>
          </form>
        </search>
      </section>
      <p class="count" aria-live="polite">
        {filtered ? `${plural(events.length, 'event')} found.` : ''}
        {filtered ? <a href="/">Show all</a> : ''}
      </p>
      {events.length === 0 ? (
        <section class="notice">
          <h2>Nothing fits.</h2>
          <p>Try another city, or an earlier date.</p>
        </section>
      ) : (
        byMonth(events).map(({ label, events: month }) => (
          <section class="month">
            <h2>{label}</h2>
            <EventList events={month} />
          </section>
        ))
      )}
    </Layout>
  )
}

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
            <h3>{event.artist}</h3>
            <p class="card-title">{event.title}</p>
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
