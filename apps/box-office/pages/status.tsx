import type { Board, QueueRow, TimesRow } from '../figures/board.ts'
import type { Status, StatusGroup } from '../figures/status.ts'
import { MOODS } from '../payment/moody-bank.ts'
import { AudienceStrip } from './audience.tsx'
import { Chart } from './chart.tsx'
import { clock, moment, plural } from './format.ts'
import { Layout } from './layout.tsx'

/** What moves, by the name of its place on the page: sent again whenever it has changed, drawn here and nowhere else. */
export function statusParts(status: Status): Readonly<Record<string, string>> {
  const { board } = status
  const groups = status.groups.map((group) => [`group-${slug(group.name)}`, <Group group={group} />] as const)
  const parts = [
    ['sales', <Sales board={board} />],
    ['times', <Times rows={board.times} />],
    ['queues', <Queues rows={board.queues} />],
    ['payments', <Payments {...board.payments} />],
    ['limits', <Limits limits={board.limits} />],
    ['report', <LatestReport board={board} />],
    ['audience', <AudienceStrip audience={status.audience} />],
    ...groups,
  ] as const
  return Object.fromEntries(parts.map(([name, node]) => [name, String(node)]))
}

export const StatusPage = ({ status }: { status: Status }) => {
  const parts = statusParts(status)
  const part = (name: string, look = 'tile') => (
    <section class={look} data-part={name} dangerouslySetInnerHTML={{ __html: parts[name] ?? '' }} />
  )
  return (
    <Layout title="Status" here="status">
      <section class="hero status-head">
        <div>
          <h1>Status</h1>
          <p class="lede">
            What this box office is doing now. The same as JSON: <a href="/status.json">/status.json</a>
          </p>
        </div>
        <p class="live" data-live data-live-state="off">
          <span class="live-dot" aria-hidden="true" />
          <span data-live-words role="status">
            As of when the page was opened
          </span>
        </p>
      </section>
      <div class="status" data-status>
        {part('sales', 'tile wide')}
        {part('times', 'tile half')}
        {part('queues', 'tile half')}
        <section class="tile half">
          <h2>Payments</h2>
          <div data-part="payments" dangerouslySetInnerHTML={{ __html: parts.payments ?? '' }} />
          <form class="moods" action="/status/bank" method="post" aria-label="The test bank">
            {MOODS.map((mood) => (
              <button
                class="button"
                type="submit"
                name="mood"
                value={mood}
                aria-pressed={String(mood === status.board.payments.mood)}
                data-mood
              >
                {MOOD_WORDS[mood]}
              </button>
            ))}
          </form>
        </section>
        {part('report', 'tile half')}
        {part('audience', 'wide')}
        {status.groups.map(({ name }) => part(`group-${slug(name)}`))}
        {part('limits')}
      </div>
    </Layout>
  )
}

const MOOD_WORDS = { well: 'Bank well', slow: 'Slow', failing: 'Failing' } as const
const ZONE = 'UTC'

const Sales = ({ board }: { board: Board }) => {
  const seats = board.sales.reduce((sum, point) => sum + point.seats, 0)
  const orders = board.sales.reduce((sum, point) => sum + point.orders, 0)
  const best = Math.max(0, ...board.sales.map((point) => point.seats))
  const words = `${plural(seats, 'seat')} in ${plural(orders, 'order')} in the last half hour`
  return (
    <>
      <div class="chart-head">
        <h2>Seats sold a minute</h2>
        <p class="muted">{words}</p>
      </div>
      <Chart
        points={board.sales.map((point) => ({ label: clock(new Date(point.atMs), ZONE), value: point.seats }))}
        unit="seat"
        summary={`${words}; at most ${best} in one minute. Times are UTC.`}
      />
    </>
  )
}

const TIMED_WORDS = { hold: 'Hold', confirm: 'Confirm', pay: 'Payment' } as const

const Times = ({ rows }: { rows: readonly TimesRow[] }) => (
  <>
    <h2>Times, last five minutes</h2>
    <table class="figures">
      <Head words={['', 'p50', 'p95', 'p99', 'Count', 'Errors']} />
      <tbody>
        {rows.map(({ what, p50, p95, p99, count, errors }) => (
          <Row
            name={TIMED_WORDS[what]}
            cells={[...[p50, p95, p99].map((ms) => (count === 0 ? '–' : millis(ms))), whole(count), whole(errors)]}
            isBad={errors > 0}
          />
        ))}
      </tbody>
    </table>
  </>
)

const Queues = ({ rows }: { rows: readonly QueueRow[] }) => (
  <>
    <h2>Queues</h2>
    <table class="figures">
      <Head words={['', 'Waiting', 'Running', 'Later', 'Oldest', 'Dead']} />
      <tbody>
        {rows.map(({ name, waiting, active, delayed, oldestMs, dead }) => (
          <Row
            name={capital(name)}
            cells={[
              ...[whole(waiting), whole(active), whole(delayed)],
              oldestMs === undefined ? '–' : seconds(oldestMs),
              whole(dead),
            ]}
            isBad={dead > 0}
          />
        ))}
      </tbody>
    </table>
  </>
)

const STATES = {
  closed: { word: 'Open for payments', look: 'paid' },
  open: { word: 'Paused', look: 'expired' },
  'half-open': { word: 'Trying one', look: 'pending' },
} as const

/** The breaker's words are an electrician's: closed is what a customer calls open. */
const Payments = ({ state, refused, opened }: Board['payments']) => (
  <p class="payments">
    <span class={`state ${STATES[state].look}`} data-breaker={state}>
      {STATES[state].word}
    </span>
    <span class="muted">{`Breaker ${state}, ${times(opened)}, ${plural(refused, 'call')} not made`}</span>
  </p>
)

const Limits = ({ limits }: { limits: Board['limits'] }) => (
  <>
    <h2>Refused by limits</h2>
    {limits.length === 0 ? (
      <p class="muted">Nobody, in the last hour.</p>
    ) : (
      <dl>
        {limits.map(({ limit, count }) => (
          <div>
            <dt>{limit}</dt>
            <dd>{whole(count)}</dd>
          </div>
        ))}
      </dl>
    )}
  </>
)

const LatestReport = ({ board: { report, due } }: { board: Board }) => (
  <>
    <h2>Report</h2>
    <p>{report === undefined ? 'None was made yet.' : capital(report.words)}</p>
    <p class="muted">
      {report === undefined ? '' : `The day until ${moment(new Date(report.untilMs))}. `}
      {due.map(({ what, atMs }) => `${capital(what)} next at ${moment(new Date(atMs))}. `).join('')}
      <a href="/report">All of it, or one now</a>
    </p>
  </>
)

const Group = ({ group }: { group: StatusGroup }) => (
  <>
    <h2>{group.name}</h2>
    <dl>
      {group.figures.map((figure) => (
        <div>
          <dt>{figure.label}</dt>
          <dd data-figure={`${group.name}/${figure.label}`}>{figure.value}</dd>
        </div>
      ))}
    </dl>
  </>
)

const Head = ({ words }: { words: readonly string[] }) => (
  <thead>
    <tr>{words.map((word) => (word === '' ? <td /> : <th scope="col">{word}</th>))}</tr>
  </thead>
)

const Row = ({ name, cells, isBad }: { name: string; cells: readonly string[]; isBad: boolean }) => (
  <tr>
    <th scope="row">{name}</th>
    {cells.map((cell, i) => (
      <td class={isBad && i === cells.length - 1 ? 'bad' : ''}>{cell}</td>
    ))}
  </tr>
)

const whole = (n: number) => n.toLocaleString('en')
const millis = (ms: number) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1_000 ? `${Math.round(ms)} ms` : seconds(ms))
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
const times = (n: number) => (n === 0 ? 'never opened' : n === 1 ? 'opened once' : `opened ${whole(n)} times`)
const slug = (name: string) => name.toLowerCase().replaceAll(/\W+/g, '-')

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
