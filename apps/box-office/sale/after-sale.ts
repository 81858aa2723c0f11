/** What comes after the last payment: the receipts that are still due go out, a report is made, and both are held against SQL. */

import type { Invariant } from '../audit/audit.ts'
import { pause } from '../crowd/buyer.ts'
import type { House } from '../house.ts'
import type { Report } from '../reports/report.ts'

/** Longer than the lease of a queue, after which others have what a worker could not tell to be done. */
const LONGEST_WAIT_MS = 20_000
const MOST_NAMED = 5

export interface AfterSale {
  readonly receipts: number
  readonly report: Report | undefined
}

export async function afterSale(house: House): Promise<AfterSale> {
  const { receipts, reports } = house
  await until(async () => {
    // A failover may have forgotten what was put into the queue: what is due is put there again.
    await receipts.run(0)
    return (await receipts.book.counts()).due === 0 && (await isEmpty(receipts.queue))
  })
  const id = await reports.ask()
  await until(async () => (await reports.read(id)) !== undefined && (await isEmpty(reports.queue)))
  return { receipts: (await receipts.book.counts()).sent, report: (await reports.read(id))?.report }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + LONGEST_WAIT_MS
  while (!(await isSo()) && Date.now() < endMs) await pause(50)
}

async function isEmpty(queue: House['receipts']['queue'] | House['reports']['queue']): Promise<boolean> {
  const { waiting, active, delayed } = await queue.counts()
  return waiting + active + delayed === 0
}

export async function checkAfterSale(house: House, { report }: AfterSale): Promise<Invariant[]> {
  return [
    { name: 'each paid order has one receipt, and no other has any', problems: await receiptProblems(house) },
    { name: 'the queues are empty, without a dead letter', problems: await queueProblems(house) },
    { name: 'the report = SQL', problems: await reportProblems(house, report) },
  ]
}

async function receiptProblems({ db, post }: House): Promise<string[]> {
  const rows = await db.query<{ number: string; state: string; receipt: string | null }>(
    `select o.number, o.state, r.state as receipt from orders o left join receipts r on r.order_number = o.number
     where (o.state = 'paid') is distinct from (r.state is not null and r.state = 'sent')`,
  )
  const paid = await db.query<{ number: string }>("select number from orders where state = 'paid'")
  const letters = await post.files.read()
  const numbers = new Set(paid.map(({ number }) => number))
  const extra = [...letters.keys()].filter((name) => name.startsWith('BX-') && !numbers.has(name))
  return [
    ...rows.map(({ number, state, receipt }) => `order ${number} is ${state}, its receipt ${receipt ?? 'is none'}`),
    ...[...numbers]
      .filter((number) => !letters.get(number)?.includes(number))
      .map((number) => `no letter for ${number}`),
    ...extra.map((name) => `a letter for ${name}, which is not paid`),
  ]
}

async function queueProblems({ receipts, reports }: House): Promise<string[]> {
  const problems: string[] = []
  for (const queue of [receipts.queue, reports.queue]) {
    const { waiting, active, delayed, dead } = await queue.counts()
    if (waiting + active + delayed + dead > 0)
      problems.push(`${queue.name}: ${waiting} waiting, ${active} active, ${delayed} delayed, ${dead} dead`)
    const letters = await queue.deadLetters({ limit: MOST_NAMED })
    problems.push(
      ...letters.map(({ id, reason, error }) => `${queue.name}: ${id} is dead: ${error?.message ?? reason}`),
    )
  }
  return problems
}

async function reportProblems({ db }: House, report: Report | undefined): Promise<string[]> {
  if (report === undefined) return ['no report was made']
  const [row] = await db.query<{ seats: number; revenue: bigint }>(
    'select count(*)::int as seats, coalesce(sum(price), 0)::bigint as revenue from sales',
  )
  const seats = report.totals.reduce((sum, total) => sum + total.seats, 0)
  const revenue = report.totals.reduce((sum, total) => sum + total.revenue, 0n)
  if (seats === row?.seats && revenue === row?.revenue) return []
  return [`it says ${seats} seats for ${revenue}, and SQL ${row?.seats} for ${row?.revenue}`]
}
