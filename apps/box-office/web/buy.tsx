/** Buying: hold, look at what is held, pay or give back, and what was bought. */

import { randomUUID } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { readEmail } from '../accounts/account.ts'
import type { HoldAnswer, PayAnswer } from '../orders/desk.ts'
import type { Claim, Order } from '../orders/order.ts'
import { Checkout, type CheckoutProps } from '../pages/checkout.tsx'
import { OrderPage, OrdersPage } from '../pages/orders.tsx'
import { Card, readCard } from '../payment/card.ts'
import { receiptPage, receiptText } from '../receipts/receipt.tsx'
import { SEATS_PER_CUSTOMER } from '../seating/nights.ts'
import { Refusal } from './refusal.ts'
import { claimUrl, eventOr404, page, readClaim, type Shop, wantsJson } from './route.ts'
import { customerOf, type Visitor, visitorOf } from './visitor.ts'

const SEAT = /^[A-Z]{1,2}-\d{1,3}-\d{1,3}$/
const KEY = /^[\w-]{8,64}$/
/** Longer than an address may be, so that one that is cut is not taken for another. */
const LONGEST_EMAIL = 300

const RECEIPTS = [
  ['html', 'text/html', receiptPage],
  ['txt', 'text/plain', receiptText],
] as const

const DECLINED = {
  declined: 'The bank declined this card. Nothing was taken; try another one.',
  'insufficient-funds': 'There is not enough money on this card. Nothing was taken; try another one.',
  'not-a-test-card': 'This shop takes test cards only. Nothing was taken; use one of the cards above.',
  paused: 'Payments were paused. Nothing was taken; please try again.',
  abandoned: 'The payment was not finished. Nothing was taken; please try again.',
} as const

export function buyRoutes(shop: Shop): Hono {
  const app = new Hono()

  app.post('/events/:id/holds', async (c) => {
    const event = await eventOr404(shop, c.req.param('id'))
    const customer = customerOf(c, shop.sealer, await visitorOf(c, shop.sealer))
    const { seats, key } = await readHold(c)
    const answer = await shop.desk.hold({ eventId: event.id, customer, seats, key })
    if (answer.status !== 'held') throw refusalOf(answer)
    shop.holdings.put(answer.claim)
    const url = claimUrl(shop, answer.claim)
    if (wantsJson(c)) return c.json({ status: 'held', url, expiresAtMs: answer.claim.expiresAtMs }, 201)
    return c.redirect(url, 303)
  })

  app.get('/checkout/:claim', async (c) => {
    const visitor = await visitorOf(c, shop.sealer)
    const claim = readClaim(shop, c.req.param('claim'), visitor)
    if (claim.expiresAtMs <= Date.now()) throw expired(claim)
    return checkout(c, claim, visitor)
  })

  app.post('/checkout/:claim/pay', async (c) => {
    const visitor = await visitorOf(c, shop.sealer)
    const claim = readClaim(shop, c.req.param('claim'), visitor)
    const form = await c.req.parseBody()
    const card = readCard({ number: text(form.number), expiry: text(form.expiry), cvc: text(form.cvc) }, new Date())
    if (!(card instanceof Card)) {
      if (wantsJson(c)) throw new Refusal('CARD_INVALID', card.message, { field: card.field })
      return checkout(c, claim, visitor, card, 400)
    }
    const { account } = visitor
    const submit = text(form.submit)
    const typed = text(form.email, LONGEST_EMAIL).trim()
    const address = typed === '' ? account?.email : readEmail(typed)
    if (typeof address === 'object') {
      if (wantsJson(c)) throw new Refusal('BAD_REQUEST', address.message, { field: 'email' })
      return checkout(c, claim, visitor, { message: address.message, field: 'email' }, 400, typed)
    }
    const answer = await shop.desk.pay(claim, card, {
      ...(account === undefined ? {} : { account: account.id }),
      ...(address === undefined ? {} : { receiptTo: address }),
      ...(KEY.test(submit) ? { submit } : {}),
    })
    return paid(c, claim, visitor, answer, typed)
  })

  app.get('/payments.json', async (c) => c.json({ state: await shop.payments.state() }))

  app.post('/checkout/:claim/release', async (c) => {
    const claim = readClaim(shop, c.req.param('claim'), await visitorOf(c, shop.sealer))
    await shop.desk.release(claim)
    shop.holdings.drop(claim)
    if (wantsJson(c)) return c.json({ status: 'released' })
    return c.redirect(`/events/${claim.eventId}`, 303)
  })

  app.get('/orders', async (c) => {
    const { browser, account } = await visitorOf(c, shop.sealer)
    const orders = browser || account ? await shop.ledger.ordersOf(browser ?? '', account?.id) : []
    const shown = await Promise.all(
      orders.map(async (order) => ({ order, event: await shop.catalogue.event(order.eventId) })),
    )
    return page(c, <OrdersPage orders={shown} account={account?.email} />)
  })

  app.get('/orders/:number', async (c) => {
    const order = await ownOrder(c)
    const receipt = await shop.receipts.book.of(order.number)
    if (wantsJson(c))
      return c.json({ number: order.number, state: order.state, seats: order.seats, receipt: receipt?.state ?? null })
    const [event, payment] = await Promise.all([shop.catalogue.event(order.eventId), shop.ledger.payment(order)])
    return page(c, <OrderPage order={order} event={event} payment={payment} receipt={receipt} />)
  })

  for (const [kind, type, write] of RECEIPTS)
    app.get(`/orders/:number/receipt.${kind}`, async (c) => {
      const order = await ownOrder(c)
      const [event, payment] = await Promise.all([shop.catalogue.event(order.eventId), shop.ledger.payment(order)])
      if (order.state !== 'paid' || event === undefined || payment === undefined)
        throw new Refusal('NOT_FOUND', 'There is a receipt for what is paid.')
      const text = write({ order, event, paidWith: `${payment.cardBrand} …${payment.cardLast4}` })
      // As a file: its style is in itself, which no page of ours may have.
      return c.body(text, 200, {
        'Content-Type': `${type}; charset=utf-8`,
        'Content-Disposition': `attachment; filename="receipt-${order.number}.${kind}"`,
      })
    })

  async function ownOrder(c: Context): Promise<Order> {
    const order = await shop.ledger.order(c.req.param('number') ?? '')
    if (order === undefined || !(await visitorOf(c, shop.sealer)).owns(order))
      throw new Refusal('NOT_FOUND', 'There is no such order of yours.')
    return order
  }

  async function checkout(
    c: Context,
    claim: Claim,
    { account }: Visitor,
    problem?: CheckoutProps['problem'],
    status: 200 | 400 | 402 | 503 = 200,
    typed = '',
  ) {
    const event = await eventOr404(shop, claim.eventId)
    const night = await shop.nights.open(claim.eventId)
    if (night === undefined) throw new Refusal('NOT_FOUND', 'There is no such event.')
    const prices = claim.seats.map((seat) => shop.nights.priceOf(night, seat))
    const url = claimUrl(shop, claim)
    const props = {
      ...{ event, claim, prices, payUrl: `${url}/pay`, releaseUrl: `${url}/release` },
      submit: randomUUID(),
      account: account?.email,
      loginUrl: `/login?next=${encodeURIComponent(url)}`,
      ...(typed === '' ? {} : { email: typed }),
      paused: (await shop.payments.state()) === 'open',
    }
    return page(c, <Checkout {...props} {...(problem === undefined ? {} : { problem })} />, status)
  }

  async function paid(c: Context, claim: Claim, visitor: Visitor, answer: PayAnswer, typed: string): Promise<Response> {
    if (answer.status === 'no-event') throw new Refusal('NOT_FOUND', 'There is no such event.')
    if (answer.status === 'declined') {
      const message = DECLINED[answer.reason]
      if (wantsJson(c)) throw new Refusal('PAYMENT_DECLINED', message, { reason: answer.reason })
      return checkout(c, claim, visitor, { message, field: 'number' }, 402, typed)
    }
    if (answer.status === 'paused') {
      const { retryAfterMs } = answer
      c.header('Retry-After', String(Math.ceil(retryAfterMs / 1_000)))
      const message =
        'The bank does not answer just now. Nothing was taken, and your seats are still held: please try again.'
      if (wantsJson(c)) throw new Refusal('PAYMENTS_PAUSED', message, { retryAfterMs, heldUntilMs: claim.expiresAtMs })
      return checkout(c, claim, visitor, { message }, 503, typed)
    }
    shop.holdings.drop(claim)
    const url = `/orders/${answer.order.number}`
    if (wantsJson(c)) return c.json({ status: answer.status, number: answer.order.number, url })
    return c.redirect(url, 303)
  }

  return app
}

/** The seats and the word of a request to hold, from JSON or from a form. */
async function readHold(c: Context): Promise<{ seats: string[]; key: string }> {
  const isJson = (c.req.header('content-type') ?? '').startsWith('application/json')
  const body: unknown = isJson ? await c.req.json().catch(() => undefined) : await c.req.parseBody()
  const { seats: given, key } = (body ?? {}) as { seats?: unknown; key?: unknown }
  const seats = typeof given === 'string' ? given.split(',').filter((seat) => seat !== '') : given
  if (
    !Array.isArray(seats) ||
    seats.length === 0 ||
    !seats.every((seat) => typeof seat === 'string' && SEAT.test(seat))
  )
    throw new Refusal('BAD_REQUEST', 'seats: a list of seat ids such as A-1-7 is needed.')
  if (typeof key !== 'string' || !KEY.test(key))
    throw new Refusal(
      'BAD_REQUEST',
      'key: 8 to 64 letters, digits, _ or - are needed; the same again repeats the request.',
    )
  return { seats, key }
}

function refusalOf(answer: Exclude<HoldAnswer, { status: 'held' }>): Refusal {
  switch (answer.status) {
    case 'taken':
      return new Refusal('SEATS_TAKEN', 'Somebody was quicker: choose other seats.', { taken: answer.taken })
    case 'limit':
      return new Refusal('TOO_MANY_SEATS', `One customer may have ${SEATS_PER_CUSTOMER} seats of a night.`)
    case 'invalid':
      return new Refusal(
        'BAD_REQUEST',
        'These are not seats of this night, or the request was made before with others.',
      )
    case 'no-event':
      return new Refusal('NOT_FOUND', 'There is no such event.')
    case 'closed':
      return new Refusal('SALE_CLOSED', 'This night has begun.')
    case 'ended':
      return new Refusal('HOLD_EXPIRED', 'These seats were held for you before, and went back. Choose again.')
    case 'paused':
      return new Refusal('SALE_PAUSED', 'The sale of this night is paused. Please try again in a moment.')
  }
}

function expired(claim: Claim): Refusal {
  return new Refusal('HOLD_EXPIRED', 'Your time ran out, and the seats went back.', {
    back: `/events/${claim.eventId}`,
  })
}

function text(value: unknown, longest = 40): string {
  return typeof value === 'string' ? value.slice(0, longest) : ''
}
