/**
 * The narrow door to SQL. Everything the box office asks of its database fits through two verbs, so
 * that an embedded Postgres (PGlite), a Postgres server, or a database in another process can stand
 * behind it. Transactions are lists of statements, never a conversation: a condition is part of
 * the SQL ("update … where state = 'pending' returning …"), and no lock waits for JavaScript.
 *
 * Money is `bigint` in minor units, in SQL and in TypeScript. Counts are cast to int in the query.
 */

export type SqlValue = string | number | bigint | boolean | null | Date | readonly string[] | readonly bigint[]

export type Row = Record<string, unknown>

export interface Statement {
  readonly text: string
  readonly values?: readonly SqlValue[]
}

export interface Database {
  query<T extends Row = Row>(text: string, values?: readonly SqlValue[]): Promise<T[]>
  /** All of them or none; answers the rows of each. */
  transaction(statements: readonly Statement[]): Promise<Row[][]>
  /** True when its contents outlive this process. */
  readonly lasting: boolean
  close(): Promise<void>
}

/** What a database says about a refusal, in a form that crosses threads and processes. */
export interface SqlFailure {
  readonly message: string
  readonly code: string | undefined
  readonly constraint: string | undefined
}

export class SqlError extends Error {
  /** SQLSTATE, such as '23505' for a value that must be unique. */
  readonly code: string | undefined
  readonly constraint: string | undefined

  constructor(failure: SqlFailure) {
    super(failure.message)
    this.name = 'SqlError'
    this.code = failure.code
    this.constraint = failure.constraint
  }
}

/** A database that cannot be had at all: a message for the person who starts the program. */
export class NoDatabaseError extends Error {}

const UNIQUE_VIOLATION = '23505'

export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (!(error instanceof SqlError) || error.code !== UNIQUE_VIOLATION) return false
  return constraint === undefined || error.constraint === constraint
}
