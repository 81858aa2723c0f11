/** What a receipt says: as text, and as a page that a mail program shows, with its style in itself. */

import { formatMoney } from '../catalogue/prices.ts'
import type { EventDetail } from '../catalogue/queries.ts'
import type { Letter } from '../mail/post.ts'
import type { Order } from '../orders/order.ts'
import { clock, longDate, plural, seatName } from '../pages/format.ts'

export interface Receipt {
  readonly order: Order
  readonly event: EventDetail
  /** 'Visa …4242' */
  readonly paidWith: string
}

export function letterOf(receipt: Receipt, to: string | undefined): Letter {
  const { order, event } = receipt
  const subject = `Your tickets for ${oneLine(event.artist)} · ${order.number}`
  return { name: order.number, to, subject, text: receiptText(receipt), html: receiptPage(receipt) }
}

export function receiptText({ order, event, paidWith }: Receipt): string {
  const rows = order.seats.map(
    (seat, i) => [seatName(seat), formatMoney(order.prices[i] ?? 0n, order.currency)] as const,
  )
  const total = [`Total, ${plural(order.seats.length, 'seat')}`, moneyOf(order)] as const
  const wide = Math.max(...[...rows, total].map(([words]) => words.length)) + 3
  const line = ([words, money]: readonly [string, string]) => `${words.padEnd(wide)}${money}`
  return [
    `Order ${order.number}`,
    '',
    event.artist,
    event.title,
    whenOf(event),
    whereOf(event),
    '',
    ...rows.map(line),
    line(total),
    `Paid with ${paidWith}`,
    '',
    'Show the number of the order at the door.',
    'A demonstration of Holdfast: nothing was charged, and no venue knows of you.',
    '',
  ].join('\n')
}

const INK = '#1e1b18'
const SOFT = '#6a635b'
const LINE = '1px solid #e3ddd4'
const SERIF = "Georgia, 'Times New Roman', serif"

export function receiptPage({ order, event, paidWith }: Receipt): string {
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light" />
        <title>{`Order ${order.number}`}</title>
      </head>
      <body style={{ margin: 0, background: '#faf8f5', color: INK, font: '16px/1.5 system-ui, Arial, sans-serif' }}>
        <div style={{ 'max-width': '34rem', margin: '0 auto', padding: '2rem 1rem' }}>
          <p style={{ margin: 0, color: SOFT }}>Box Office</p>
          <h1 style={{ margin: '.25rem 0 0', font: `600 2rem/1.15 ${SERIF}` }} dir="auto">
            {event.artist}
          </h1>
          <p style={{ margin: '.4rem 0 0' }} dir="auto">
            {event.title}
          </p>
          <p style={{ margin: '.4rem 0 1.5rem', color: SOFT }}>
            {whenOf(event)}
            <br />
            {whereOf(event)}
          </p>
          <table style={{ width: '100%', 'border-collapse': 'collapse', background: '#fff', border: LINE }}>
            {order.seats.map((seat, i) => (
              <Line words={seatName(seat)} money={formatMoney(order.prices[i] ?? 0n, order.currency)} />
            ))}
            <Line words={`Total, ${plural(order.seats.length, 'seat')}`} money={moneyOf(order)} strong />
          </table>
          <p style={{ margin: '1.5rem 0 0' }}>
            Order <strong>{order.number}</strong>, paid with {paidWith}. Show this number at the door.
          </p>
          <p style={{ margin: '1.5rem 0 0', color: SOFT, 'font-size': '14px' }}>
            A demonstration of Holdfast: nothing was charged, and no venue knows of you.
          </p>
        </div>
      </body>
    </html>
  )
  return `<!doctype html>${String(page)}`
}

const Line = ({ words, money, strong = false }: { words: string; money: string; strong?: boolean }) => {
  const cell = { padding: '.6rem .9rem', 'border-bottom': LINE, 'font-weight': strong ? '700' : '400' }
  return (
    <tr>
      <td style={cell}>{words}</td>
      <td style={{ ...cell, 'text-align': 'right', 'white-space': 'nowrap' }}>{money}</td>
    </tr>
  )
}

/** Several currencies have one sign. */
const moneyOf = ({ amount, currency }: Order) => {
  const money = formatMoney(amount, currency)
  return money.includes(currency) ? money : `${money} ${currency}`
}
const whenOf = ({ startsAt, venue }: EventDetail) => `${longDate(startsAt, venue.zone)}, ${clock(startsAt, venue.zone)}`
const whereOf = ({ venue }: EventDetail) => `${venue.name}, ${venue.city}`

/** A name of a user's own file may have anything in it; a subject is one line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, ' ').slice(0, 120)
}
