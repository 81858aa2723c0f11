import { formatMoney } from '../catalogue/prices.ts'
import type { EventDetail } from '../catalogue/queries.ts'
import type { Claim } from '../orders/order.ts'
import type { CardInput } from '../payment/card.ts'
import { TEST_CARDS } from '../payment/test-bank.ts'
import { clock, longDate, plural, seatName } from './format.ts'
import { Layout } from './layout.tsx'
import { Poster } from './poster.tsx'

export interface CheckoutProps {
  readonly event: EventDetail
  readonly claim: Claim
  readonly prices: readonly bigint[]
  readonly payUrl: string
  readonly releaseUrl: string
  /** The word of this form: sent twice, it is answered the same. */
  readonly submit: string
  /** Whose the order will be; undefined is this browser's. */
  readonly account: string | undefined
  readonly loginUrl: string
  /** Where the receipt goes, as it was typed before. */
  readonly email?: string
  /** The bank is not asked just now. */
  readonly paused: boolean
  readonly problem?: { readonly message: string; readonly field?: keyof CardInput | 'email' }
}

export const Checkout = (props: CheckoutProps) => {
  const { event, claim, prices, payUrl, releaseUrl, submit, account, email, loginUrl, paused, problem } = props
  const total = prices.reduce((sum, price) => sum + price, 0n)
  return (
    <Layout title="Pay">
      <section class="checkout">
        <div class="checkout-main">
          <h1>Pay for your seats</h1>
          <p
            class="countdown"
            role="timer"
            data-countdown
            data-expires={claim.expiresAtMs}
            data-now={Date.now()}
            data-back={`/events/${event.id}`}
          >
            Held for you until <strong data-left>{clock(new Date(claim.expiresAtMs), 'UTC')} UTC</strong>
          </p>
          <p class="banner" role="status" data-paused {...(paused ? {} : { hidden: true })}>
            {`Payments are paused for a moment. Your seats are held until ${clock(new Date(claim.expiresAtMs), 'UTC')} UTC.`}
          </p>
          {problem === undefined ? (
            ''
          ) : (
            <p class="problem" role="alert">
              {problem.message}
            </p>
          )}
          <form class="card-form" action={payUrl} method="post" data-pay>
            <input type="hidden" name="submit" value={submit} />
            <fieldset class="chips">
              <legend>Test cards, nothing is charged</legend>
              <Chip number={TEST_CARDS.succeeds} label="Succeeds" />
              <Chip number={TEST_CARDS.declined} label="Declined" />
              <Chip number={TEST_CARDS.insufficientFunds} label="No funds" />
            </fieldset>
            <Field
              name="number"
              label="Card number"
              problem={problem}
              placeholder="4242 4242 4242 4242"
              complete="cc-number"
            />
            <div class="pair">
              <Field name="expiry" label="Expiry" problem={problem} placeholder="MM/YY" complete="cc-exp" />
              <Field name="cvc" label="Security code" problem={problem} placeholder="123" complete="cc-csc" />
            </div>
            <label class="field">
              <span>{account === undefined ? 'E-mail for the receipt, if you like' : 'E-mail for the receipt'}</span>
              <input
                name="email"
                type="email"
                autocomplete="email"
                maxlength={254}
                value={email ?? account ?? ''}
                placeholder="ann@example.com"
                {...(problem?.field === 'email' ? { 'aria-invalid': 'true', autofocus: true } : {})}
              />
            </label>
            <button class="button primary wide" type="submit">
              Pay {formatMoney(total, event.currency)}
            </button>
          </form>
          <form action={releaseUrl} method="post">
            <button class="button quiet wide" type="submit">
              Give the seats back
            </button>
          </form>
          <p class="muted aside-login">
            {account === undefined ? (
              <span>
                The order is kept for this browser. <a href={loginUrl}>Log in</a> to have it on every device.
              </span>
            ) : (
              `The order will be with ${account}.`
            )}
          </p>
        </div>
        <aside class="summary" aria-label="Your seats">
          <Poster of={event.id} class="summary-art" />
          <div class="summary-text">
            <h2>{event.artist}</h2>
            <p>{event.title}</p>
            <p class="muted">
              {longDate(event.startsAt, event.venue.zone)}, {clock(event.startsAt, event.venue.zone)}
              <br />
              {event.venue.name}, {event.venue.city}
            </p>
            <ul class="lines">
              {claim.seats.map((seat, index) => (
                <li>
                  <span>{seatName(seat)}</span>
                  <span>{formatMoney(prices[index] ?? 0n, event.currency)}</span>
                </li>
              ))}
              <li class="lines-total">
                <span>{plural(claim.seats.length, 'seat')}</span>
                <span>{formatMoney(total, event.currency)}</span>
              </li>
            </ul>
          </div>
        </aside>
      </section>
    </Layout>
  )
}

interface FieldProps {
  readonly name: keyof CardInput
  readonly label: string
  readonly placeholder: string
  readonly complete: string
  readonly problem: CheckoutProps['problem']
}

const Field = ({ name, label, placeholder, complete, problem }: FieldProps) => {
  const wrong = problem?.field === name
  return (
    <label class="field">
      <span>{label}</span>
      <input
        name={name}
        inputmode={name === 'expiry' ? 'text' : 'numeric'}
        autocomplete={complete}
        placeholder={placeholder}
        maxlength={24}
        required
        {...(wrong ? { 'aria-invalid': 'true', autofocus: true } : {})}
      />
    </label>
  )
}

const Chip = ({ number, label }: { number: string; label: string }) => (
  <button type="button" class="chip" data-card={number}>
    <span>{label}</span>
    <small>{`…${number.slice(-4)}`}</small>
  </button>
)
