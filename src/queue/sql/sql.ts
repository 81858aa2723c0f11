import { ConfigError } from '../../base/errors.ts'

/**
 * A connection, a pool or a transaction of Postgres, as `pg` and PGlite have them: `$1` stands for the first value. The answer is an array of
 * rows, or has one as `rows`.
 */
export interface Sql {
  query(text: string, values?: unknown[]): Promise<unknown>
}

export type Row = Readonly<Record<string, unknown>>

export async function rowsOf(sql: Sql, text: string, values: unknown[]): Promise<readonly Row[]> {
  const answer = await sql.query(text, values)
  const rows = Array.isArray(answer) ? answer : (answer as { rows?: unknown } | undefined)?.rows
  if (!Array.isArray(rows)) throw new ConfigError('sql', 'a query() that answers rows', answer)
  return rows as Row[]
}

export function checkSql(sql: Sql): Sql {
  if (typeof sql?.query !== 'function') throw new ConfigError('sql', 'an object with query(text, values)', sql)
  return sql
}

/** A name that can stand in a statement as it is. */
export function checkTable(table: string): string {
  if (typeof table !== 'string' || !/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/i.test(table))
    throw new ConfigError('table', 'a plain name such as holdfast_inbox or app.inbox', table)
  return table
}
