import { formatMoney } from '../catalogue/prices.ts'
import type { EventDetail } from '../catalogue/queries.ts'
import type { Order, OrderState, Payment } from '../orders/order.ts'
import type { ReceiptRow } from '../receipts/book.ts'
import { clock, longDate, plural, seatName, shortDate } from './format.ts'
import { Layout } from './layout.tsx'
import { Poster } from './poster.tsx'

const WORDS: Record<OrderState, { readonly title: string; readonly note: string }> = {
  paid: { title: 'The seats are yours', note: 'Show this number at the door.' },
  pending: { title: 'We are settling your payment', note: 'This page looks again by itself. Nothing is lost.' },
  declined: { title: 'The card was declined', note: 'Nothing was taken. While the seats are held, try another card.' },
  expired: { title: 'Your time ran out', note: 'The seats went back, and no money was taken.' },
  gone: { title: 'The seats were given back', note: 'No money was taken.' },
  conflict: { title: 'We could not give you these seats', note: 'No money was taken. We are sorry.' },
}

export interface OrderPageProps {
  readonly order: Order
  readonly event: EventDetail | undefined
  readonly payment: Payment | undefined
  /** Of a paid order; undefined for any other. */
  readonly receipt: ReceiptRow | undefined
}

export const OrderPage = ({ order, event, payment, receipt }: OrderPageProps) => (
  <Layout title={`Order ${order.number}`} here="orders">
    <section class="confirmation" data-order-state={order.state}>
      <p class={`state ${order.state}`}>{stateWord(order.state)}</p>
      <h1>{WORDS[order.state].title}</h1>
      <p class="lede">{WORDS[order.state].note}</p>
      <article class="ticket" aria-label="Your order">
        <div class="ticket-main">
          <p class="crumb">{event?.genre}</p>
          <h2>{event?.artist}</h2>
          <p>{event?.title}</p>
          {event === undefined ? (
            ''
          ) : (
            <p class="muted">
              {longDate(event.startsAt, event.venue.zone)}, {clock(event.startsAt, event.venue.zone)}
              <br />
              {event.venue.name}, {event.venue.city}
            </p>
          )}
          <ul class="lines">
            {order.seats.map((seat, index) => (
              <li>
                <span>{seatName(seat)}</span>
                <span>{formatMoney(order.prices[index] ?? 0n, order.currency)}</span>
              </li>
            ))}
            <li class="lines-total">
              <span>{order.state === 'paid' && payment ? `${payment.cardBrand} …${payment.cardLast4}` : 'Total'}</span>
              <span>{formatMoney(order.amount, order.currency)}</span>
            </li>
          </ul>
        </div>
        <div class="ticket-stub">
          <p class="crumb">Order</p>
          <p class="order-number" data-order-number>
            {order.number}
          </p>
          {order.state === 'paid' ? <Stripes of={order.number} /> : ''}
        </div>
      </article>
      {receipt === undefined ? '' : <ReceiptLine receipt={receipt} />}
      <p class="actions">
        <a class="button" href={`/events/${order.eventId}`}>
          Back to the event
        </a>
        <a class="button quiet" href="/orders">
          All my orders
        </a>
      </p>
    </section>
  </Layout>
)

/** What has become of the receipt; where it could not be sent, it is here all the same. */
const ReceiptLine = ({ receipt }: { receipt: ReceiptRow }) => (
  <p class="receipt" data-receipt={receipt.state}>
    <span role="status">{receiptWords(receipt)}</span>
    <span>
      <a href={`/orders/${receipt.orderNumber}/receipt.html`} download>
        Download
      </a>
      {' · '}
      <a href={`/orders/${receipt.orderNumber}/receipt.txt`} download>
        As text
      </a>
    </span>
  </p>
)

function receiptWords({ state, via, address }: ReceiptRow): string {
  if (state === 'due')
    return address === null ? 'The receipt is being written.' : `A receipt is on its way to ${address}.`
  if (state === 'sent') return via === 'mail' ? `Receipt sent to ${address}.` : 'The receipt is ready.'
  return `The receipt could not be sent to ${address ?? 'you'}; here it is.`
}

export interface OrdersPageProps {
  readonly orders: readonly { readonly order: Order; readonly event: EventDetail | undefined }[]
  /** Whose they are, when he is logged in. */
  readonly account: string | undefined
}

export const OrdersPage = ({ orders, account }: OrdersPageProps) => (
  <Layout title="My orders" here="orders">
    <section class="hero">
      <h1>My orders</h1>
      <p class="lede">
        {account === undefined ? (
          <span>
            Those of this browser. <a href="/login?next=/orders">Log in</a> for those of your account.
          </span>
        ) : (
          `Those of ${account}, and of this browser.`
        )}
      </p>
    </section>
    {orders.length === 0 ? (
      <section class="notice">
        <p>Nothing here yet.</p>
        <p>
          <a class="button" href="/">
            See all events
          </a>
        </p>
      </section>
    ) : (
      <ul class="order-list">
        {orders.map(({ order, event }) => (
          <li>
            <a href={`/orders/${order.number}`}>
              <Poster of={order.eventId} class="order-art" />
              <div>
                <h2>{event?.artist ?? order.eventId}</h2>
                <p class="muted">
                  {event === undefined ? '' : `${shortDate(event.startsAt, event.venue.zone)} · ${event.venue.name} · `}
                  {plural(order.seats.length, 'seat')} · {formatMoney(order.amount, order.currency)}
                </p>
                <p class="muted">{order.number}</p>
              </div>
              <p class={`state ${order.state}`}>{stateWord(order.state)}</p>
            </a>
          </li>
        ))}
      </ul>
    )}
  </Layout>
)

function stateWord(state: OrderState): string {
  return {
    paid: 'Paid',
    pending: 'Settling',
    declined: 'Declined',
    expired: 'Expired',
    gone: 'Given back',
    conflict: 'Refused',
  }[state]
}

/** For the eye only: stripes that look like a barcode. */
const Stripes = ({ of }: { of: string }) => {
  let x = 0
  const bars = [...of].flatMap((letter) => {
    const code = letter.charCodeAt(0)
    return [code & 3, (code >> 2) & 3, (code >> 4) & 3].map((width) => {
      const bar = { x, width: 1 + width }
      x += bar.width + 2
      return bar
    })
  })
  return (
    <svg class="stripes" viewBox={`0 0 ${x} 40`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      {bars.map((bar) => (
        <rect x={bar.x} y="0" width={bar.width} height="40" fill="currentColor" />
      ))}
    </svg>
  )
}
