import { checkKnown } from '../../base/check.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { checkSql, checkTable, rowsOf, type Sql } from './sql.ts'

export interface InboxOptions {
  /** Default `holdfast_inbox`. */
  readonly table?: string
}

const tableOf = (options: InboxOptions = {}, known: readonly string[] = []): string => {
  checkKnown('options', options, ['table', ...known])
  return checkTable(options.table ?? 'holdfast_inbox')
}

/** The statement that makes the table, for a migration. */
export function inboxSchema(options?: InboxOptions): string {
  return `create table if not exists ${tableOf(options)} (
  queue text not null, job text not null, at timestamptz not null default now(), primary key (queue, job))`
}

/**
 * True for the first transaction of a job that commits, false for any later one, which has nothing left to do. One that runs at the same time
 * waits for the first to commit or roll back.
 */
export async function firstOf(sql: Sql, queue: string, job: string, options?: InboxOptions): Promise<boolean> {
  const insert = `insert into ${tableOf(options)} (queue, job) values ($1, $2) on conflict do nothing returning job`
  return (await rowsOf(checkSql(sql), insert, [queue, job])).length === 1
}

/** Forgets jobs that were done longer ago than `olderThan`: none of them may run again. Answers how many. */
export async function pruneInbox(sql: Sql, options: InboxOptions & { readonly olderThan: Duration }): Promise<number> {
  const table = tableOf(options, ['olderThan'])
  const ms = toMs(options.olderThan, 'olderThan')
  const prune = `with gone as (delete from ${table} where at < now() - $1 * interval '1 millisecond' returning 1)
    select count(*)::int as count from gone`
  const [row] = await rowsOf(checkSql(sql), prune, [ms])
  return Number(row?.count)
}
