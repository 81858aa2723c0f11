/**
 * The tables. Money is bigint in minor units. `sales` is the last line of defence: whatever else fails,
 * unique (event_id, seat_id) does not let a seat be sold twice.
 */

import type { Database, Statement } from '../database/database.ts'

const TABLES = [
  `create table if not exists house (
    key text primary key,
    value text not null
  )`,
  `create table if not exists venues (
    id text primary key,
    name text not null,
    city text not null,
    country text not null,
    country_code text not null,
    lat double precision not null check (lat between -90 and 90),
    lon double precision not null check (lon between -180 and 180),
    capacity integer not null check (capacity > 0),
    opened integer not null,
    zone text not null,
    currency text not null,
    shape text not null,
    about text not null
  )`,
  `create table if not exists events (
    id text primary key,
    venue_id text not null references venues,
    artist text not null,
    title text not null,
    genre text not null,
    about text not null,
    starts_at timestamptz not null,
    currency text not null,
    seats integer not null check (seats > 0),
    prices bigint[] not null,
    status text not null default 'on-sale' check (status in ('on-sale', 'sold-out')),
    opened_at timestamptz,
    words text not null default ''
  )`,
  // A house that was kept from before there was a search in SQL.
  `alter table events add column if not exists words text not null default ''`,
  `update events e set words = lower(concat_ws(' ', artist, title, genre, v.name, v.city, v.country))
   from venues v where v.id = e.venue_id and e.words = ''`,
  `create index if not exists events_by_start on events (starts_at, id)`,
  `create index if not exists events_by_venue on events (venue_id, starts_at)`,
  `create table if not exists orders (
    number text primary key,
    event_id text not null references events,
    hold_id text not null,
    customer text not null,
    seats text[] not null check (cardinality(seats) > 0),
    prices bigint[] not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    state text not null default 'pending'
      check (state in ('pending', 'paid', 'declined', 'expired', 'gone', 'conflict')),
    attempt integer not null default 1,
    created_at timestamptz not null default now(),
    settled_at timestamptz,
    account text,
    fence bigint not null default 0,
    receipt_to text,
    unique (event_id, hold_id),
    check (cardinality(seats) = cardinality(prices))
  )`,
  // Orders that were kept from before there were accounts, locks around payments, and receipts.
  `alter table orders add column if not exists account text`,
  `alter table orders add column if not exists fence bigint not null default 0`,
  `alter table orders add column if not exists receipt_to text`,
  `create index if not exists orders_by_customer on orders (customer, created_at desc)`,
  `create index if not exists orders_by_account on orders (account, created_at desc)`,
  `create index if not exists orders_pending on orders (created_at) where state = 'pending'`,
  `create table if not exists payments (
    id text primary key,
    order_number text not null references orders,
    attempt integer not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    state text not null default 'new'
      check (state in ('new', 'authorised', 'declined', 'captured', 'voided')),
    card_brand text not null,
    card_last4 text not null check (length(card_last4) <= 4),
    reason text,
    created_at timestamptz not null default now(),
    unique (order_number, attempt)
  )`,
  `create index if not exists payments_open on payments (created_at) where state in ('new', 'authorised')`,
  `create table if not exists sales (
    event_id text not null references events,
    seat_id text not null,
    order_number text not null references orders,
    price bigint not null check (price >= 0),
    sold_at timestamptz not null default now(),
    constraint sales_one_per_seat unique (event_id, seat_id)
  )`,
  `create index if not exists sales_by_order on sales (order_number)`,
  `create table if not exists receipts (
    order_number text primary key references orders,
    address text,
    state text not null default 'due' check (state in ('due', 'sent', 'refused', 'failed')),
    via text check (via in ('mail', 'file')),
    reason text,
    fence bigint not null default 0,
    created_at timestamptz not null default now(),
    queued_at timestamptz,
    sent_at timestamptz
  )`,
  `create index if not exists receipts_due on receipts (queued_at nulls first, created_at) where state = 'due'`,
  `create table if not exists reports (
    id text primary key,
    body text not null,
    made_at timestamptz not null default now()
  )`,
  // The bank of the test payments lives in the same file but is not ours: nothing joins it.
  `create table if not exists test_bank (
    key text primary key,
    amount bigint not null,
    currency text not null,
    state text not null check (state in ('authorised', 'declined', 'captured', 'voided')),
    reason text
  )`,
]

export async function createTables(db: Database): Promise<void> {
  await db.transaction(TABLES.map((text): Statement => ({ text })))
}
