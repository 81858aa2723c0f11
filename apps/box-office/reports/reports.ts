/**
 * The report of each night, by a schedule that lives in Redis: however many processes serve, each slot is one job, and its report one
 * row in SQL under the job's id, so that a job that runs twice finds what it made. Then it is delivered, as a file or by mail.
 */

import type { Holdfast } from 'holdfast'
import { GiveUp, type Queue, type ScheduleInfo } from 'holdfast/queue'
import { audienceOf } from '../audience/audience.ts'
import type { Database } from '../database/database.ts'
import { isPassing } from '../faults.ts'
import { LetterRefusedError, type Post } from '../mail/post.ts'
import { gather, packReport, type Report, unpackReport } from './report.ts'
import { reportLetter } from './words.tsx'

const DAY_MS = 86_400_000
const NIGHTLY = 'nightly report'
const SO_FAR = 'report so far'
const KEPT = 100

/** What a report covers: so long before its slot. */
export interface ReportJob {
  readonly spanMs: number
}

export interface ReportsOptions {
  readonly hf: Pick<Holdfast, 'queue' | 'analytics'>
  readonly db: Database
  readonly post: Post
  /** Who is sent them; left out, they are files. */
  readonly to: string | undefined
  readonly onFault?: (error: unknown, what: string) => void
}

export interface Reports {
  readonly queue: Queue<ReportJob>
  /**
   * Begins to make them, each night at three.
   *
   * alsoEvery  a demonstration's pace beside it, so that one is seen
   */
  start(alsoEvery?: '1m'): Promise<void>
  /** One of the last day, now; answers its id. Asked for twice in a second it is one. */
  ask(): Promise<string>
  /** The report of this id, or the latest. */
  read(id?: string): Promise<{ readonly id: string; readonly report: Report } | undefined>
  schedules(): Promise<ScheduleInfo[]>
  stop(): Promise<void>
}

export function createReports({ hf, db, post, to, onFault }: ReportsOptions): Reports {
  const queue = hf.queue<ReportJob>('reports', { attempts: 5, timeout: '2m' })
  const sources = { db, site: audienceOf(hf) }
  let worker: ReturnType<typeof queue.process> | undefined

  async function make(id: string, { spanMs }: ReportJob): Promise<void> {
    const slotMs = Number(id.slice(id.lastIndexOf('@') + 1))
    const until = new Date(Math.min(slotMs, Date.now()))
    const known = await read(id)
    const report = known?.report ?? (await gather(sources, new Date(until.getTime() - spanMs), until))
    if (known === undefined) {
      await db.transaction([
        {
          text: 'insert into reports (id, body) values ($1, $2) on conflict (id) do nothing',
          values: [id, packReport(report)],
        },
        { text: `delete from reports where id in (select id from reports order by made_at desc offset ${KEPT})` },
      ])
    }
    try {
      await post.send(reportLetter(report, to))
    } catch (error) {
      throw error instanceof LetterRefusedError ? new GiveUp(error.message, { cause: error }) : error
    }
  }

  async function read(id?: string) {
    const [row] = await db.query<{ id: string; body: string }>(
      'select id, body from reports where $1::text is null or id = $1 order by made_at desc limit 1',
      [id ?? null],
    )
    return row === undefined ? undefined : { id: row.id, report: unpackReport(row.body) }
  }

  return {
    queue,
    async start(alsoEvery) {
      worker ??= queue.process((job) => make(job.id, job.data), {
        onError(error, job) {
          if (!isPassing(error)) onFault?.(error, job === undefined ? 'reports' : `the report ${job.id}`)
        },
      })
      const tz = Intl.DateTimeFormat().resolvedOptions().timeZone
      await queue.repeat(NIGHTLY, { cron: '0 3 * * *', tz }, { spanMs: DAY_MS })
      if (alsoEvery === undefined) await queue.unrepeat(SO_FAR)
      else await queue.repeat(SO_FAR, { every: alsoEvery }, { spanMs: DAY_MS }, { missed: 'skip' })
    },
    async ask() {
      const secondMs = Math.ceil(Date.now() / 1_000) * 1_000
      return (await queue.add({ spanMs: DAY_MS }, { id: `asked for@${secondMs}` })).id
    },
    read,
    schedules: () => queue.schedules(),
    async stop() {
      await worker?.close({ timeout: '5s' })
      worker = undefined
    },
  }
}
