/** A report as a letter: text for a terminal, and a page with its style in itself. */

import { formatMoney } from '../catalogue/prices.ts'
import type { Letter } from '../mail/post.ts'
import { moment, plural } from '../pages/format.ts'
import type { Report } from './report.ts'

export function reportLetter(report: Report, to: string | undefined): Letter {
  const name = `report-${report.until.toISOString().slice(0, 19).replaceAll(/[T:]/g, '-')}`
  return { name, to, subject: `Box office: ${soldWords(report)}`, text: reportText(report), html: reportPage(report) }
}

const MOST_SUMS = 3

/** '1,204 seats sold: €51,220.00, £4,100.00 and 5 more currencies' */
export function soldWords(report: Report): string {
  const { totals } = report
  if (totals.length === 0) return 'nothing sold'
  const sums = totals.slice(0, MOST_SUMS).map(({ revenue, currency }) => formatMoney(revenue, currency))
  const more = totals.length - sums.length
  if (more > 0) sums.push(plural(more, 'more currency', 'more currencies'))
  const last = sums.pop() as string
  return `${seatsOf(report)}: ${sums.length === 0 ? last : `${sums.join(', ')} and ${last}`}`
}

/** '1,204 seats sold' */
export function seatsOf({ totals }: Report): string {
  return `${plural(
    totals.reduce((sum, total) => sum + total.seats, 0),
    'seat',
  )} sold`
}

export function reportText(report: Report): string {
  const tables = tablesOf(report).flatMap(({ title, head, rows }) => [
    '',
    title,
    ...columns(rows.length > 0 ? [head, ...rows] : [['none']]),
  ])
  return [`${moment(report.from)} to ${moment(report.until)}`, soldWords(report), ...tables, ''].join('\n')
}

export interface Table {
  readonly title: string
  readonly head: readonly string[]
  /** The first of each is words, the others are figures. */
  readonly rows: readonly (readonly string[])[]
}

export function tablesOf({ totals, nights, pages, refused }: Report): readonly Table[] {
  return [
    {
      title: 'Revenue',
      head: ['Currency', 'Seats', 'Revenue'],
      rows: totals.map(({ currency, seats, revenue }) => [
        ...[currency, seats.toLocaleString('en')],
        formatMoney(revenue, currency),
      ]),
    },
    {
      title: 'Nights',
      head: ['Night', 'Sold', 'Money let go', 'Revenue'],
      rows: nights.map(({ artist, venue, seats, refunded, revenue, currency }) => [
        ...[`${artist}, ${venue}`, seats.toLocaleString('en'), refunded.toLocaleString('en')],
        formatMoney(revenue, currency),
      ]),
    },
    {
      title: 'Pages',
      head: ['Page', 'Views'],
      rows: pages.map(({ path, views }) => [path, views.toLocaleString('en')]),
    },
    {
      title: 'Refused by limits',
      head: ['Limit', 'Requests'],
      rows: refused.map(({ limit, count }) => [limit, count.toLocaleString('en')]),
    },
  ]
}

const LONGEST = 48

function columns(rows: readonly (readonly string[])[]): string[] {
  const cut = rows.map((row) => row.map((cell) => (cell.length > LONGEST ? `${cell.slice(0, LONGEST - 1)}…` : cell)))
  const wide = (cut[0] ?? []).map((_, i) => Math.max(...cut.map((row) => (row[i] ?? '').length)))
  return cut.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(wide[i] ?? 0) : cell.padStart((wide[i] ?? 0) + 2))).join(''),
  )
}

const LINE = '1px solid #e3ddd4'

function reportPage(report: Report): string {
  const cell = (i: number) => ({
    padding: '.4rem .6rem',
    'border-bottom': LINE,
    'text-align': i === 0 ? 'left' : 'right',
  })
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>Box office report</title>
      </head>
      <body
        style={{
          margin: '0 auto',
          padding: '2rem 1rem',
          'max-width': '48rem',
          font: '15px/1.5 system-ui, Arial, sans-serif',
        }}
      >
        <h1 style={{ 'font-size': '1.6rem' }}>{soldWords(report)}</h1>
        <p>{`${moment(report.from)} to ${moment(report.until)}`}</p>
        {tablesOf(report).map(({ title, head, rows }) => (
          <table style={{ width: '100%', 'border-collapse': 'collapse', 'margin-top': '1.5rem' }}>
            <caption style={{ 'text-align': 'left', 'font-weight': '700' }}>{title}</caption>
            <tr>
              {head.map((words, i) => (
                <th style={cell(i)}>{words}</th>
              ))}
            </tr>
            {rows.map((row) => (
              <tr>
                {row.map((words, i) => (
                  <td style={cell(i)}>{words}</td>
                ))}
              </tr>
            ))}
          </table>
        ))}
      </body>
    </html>
  )
  return `<!doctype html>${String(page)}`
}
