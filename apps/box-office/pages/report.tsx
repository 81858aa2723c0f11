import type { ScheduleInfo } from 'holdfast/queue'
import type { Report } from '../reports/report.ts'
import { seatsOf, tablesOf } from '../reports/words.tsx'
import { moment } from './format.ts'
import { Layout } from './layout.tsx'

export interface ReportPageProps {
  /** The latest; undefined while there is none. */
  readonly report: Report | undefined
  readonly schedules: readonly ScheduleInfo[]
  /** It is being made just now. */
  readonly pending: boolean
}

export const ReportPage = ({ report, schedules, pending }: ReportPageProps) => (
  <Layout title="Report" here="status">
    <section class="hero">
      <p class="crumb">
        <a href="/status">Status</a>
      </p>
      <h1>{report === undefined ? 'No report yet' : seatsOf(report)}</h1>
      <p class="lede">
        {report === undefined
          ? 'One is made each night at three.'
          : `${moment(report.from)} to ${moment(report.until)}`}
      </p>
      <form class="report-form" action="/report" method="post">
        <button class="button" type="submit">
          Make one now
        </button>
        <p class="muted" {...(pending ? { 'data-report-pending': true } : {})} role="status">
          {pending
            ? 'It is being made.'
            : schedules
                .map(
                  ({ id, nextAtMs }) =>
                    `${capital(id)}: ${nextAtMs === undefined ? 'never' : moment(new Date(nextAtMs))}`,
                )
                .join(' · ')}
        </p>
      </form>
    </section>
    {report === undefined
      ? ''
      : tablesOf(report).map(({ title, head, rows }) => (
          <section class="tile report-table">
            <h2>{title}</h2>
            {rows.length === 0 ? (
              <p class="muted">None.</p>
            ) : (
              <table>
                <thead>
                  <tr>
                    {head.map((words) => (
                      <th scope="col">{words}</th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rows.map(([first, ...figures]) => (
                    <tr>
                      <th scope="row" dir="auto">
                        {first}
                      </th>
                      {figures.map((figure) => (
                        <td>{figure}</td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
        ))}
  </Layout>
)

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
