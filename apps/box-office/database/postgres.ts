/**
 * A Postgres server behind `Database`. Everything lies in one schema, whose name each connection is given before its first
 * question: no other schema of that database is read or written, and the one of a run that ends is removed with it.
 */

import pg from 'pg'
import { type Database, NoDatabaseError, type Row, SqlError, type Statement } from './database.ts'

export interface PostgresOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string
  /** Of our own: lower case letters, digits and underscores. Made when it is not there. */
  readonly schema: string
  /** Whether the schema outlives `close`. */
  readonly kept: boolean
}

const MOST_CONNECTIONS = 10
/** How long a server may take to answer a connection. */
const CONNECT_MS = 5_000
/** A transaction that the server broke off for another's sake did nothing, and may begin again. */
const SAFE_TO_REPEAT = new Set(['40001', '40P01'])
const MOST_TRIES = 5

/** Whole numbers of 64 bits as bigint, as PGlite is told too. */
const parsers: Record<number, (text: string) => unknown> = {
  [pg.types.builtins.INT8]: BigInt,
  /** bigint[] */
  1016: (text) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(BigInt)),
}
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && parsers[oid]) || pg.types.getTypeParser(oid, format as 'text'),
} as unknown as pg.CustomTypesConfig

/** Connects once, so that what is wrong with the address is said here. */
export async function openPostgres({ url, schema, kept }: PostgresOptions): Promise<Database> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) throw new Error(`'${schema}' is no name for a schema of ours.`)
  const guard = await lockSchema(url, schema)
  const pool = new pg.Pool({
    ...{ connectionString: url, max: MOST_CONNECTIONS, connectionTimeoutMillis: CONNECT_MS, types },
    // Awaited before anybody has the connection; one that fails is not used.
    onConnect: async (client: pg.ClientBase) => {
      await client.query(`set search_path to ${schema}`)
    },
  } as pg.PoolConfig)
  // A connection that breaks while it is idle is replaced; whoever asks next is told if that fails too.
  pool.on('error', () => {})
  let closed: Promise<void> | undefined

  async function attempt(statements: readonly Statement[]): Promise<Row[][]> {
    const [only] = statements
    if (statements.length === 1 && only !== undefined) return [(await run(pool, only)).rows]
    const client = await pool.connect()
    let broken: Error | undefined
    try {
      await client.query('begin')
      const rows: Row[][] = []
      for (const statement of statements) rows.push((await run(client, statement)).rows)
      await client.query('commit')
      return rows
    } catch (error) {
      await client.query('rollback').catch((failure: Error) => {
        broken = failure
      })
      throw error
    } finally {
      client.release(broken)
    }
  }

  async function transaction(statements: readonly Statement[]): Promise<Row[][]> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt(statements)
      } catch (error) {
        const failure = asSqlError(error)
        if (tried === MOST_TRIES || !(failure instanceof SqlError) || !SAFE_TO_REPEAT.has(failure.code ?? ''))
          throw failure
      }
    }
  }

  async function close(): Promise<void> {
    try {
      await pool.end()
      if (!kept) await guard.query(`drop schema if exists ${schema} cascade`)
    } finally {
      await guard.end()
    }
  }

  return {
    lasting: kept,
    transaction,
    async query<T extends Row>(text: string, values: Statement['values'] = []) {
      return ((await transaction([{ text, values }]))[0] ?? []) as T[]
    },
    close() {
      closed ??= close()
      return closed
    },
  }
}

function run(client: pg.Pool | pg.ClientBase, { text, values }: Statement): Promise<pg.QueryResult<Row>> {
  return client.query(text, [...(values ?? [])])
}

/**
 * Makes the schema, and holds a lock over its name on a connection of its own as long as that lives: one shop a schema, since each
 * lays out the seats that another may have sold meanwhile.
 */
async function lockSchema(url: string, schema: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  client.on('error', () => {})
  await client.connect().catch((error: Error & { code?: string }) => {
    throw new NoDatabaseError(`DATABASE_URL: no connection (${error.message || error.code})`)
  })
  try {
    const { rows } = await client.query('select pg_try_advisory_lock(hashtext($1)) as mine', [`box office ${schema}`])
    if (!rows[0]?.mine)
      throw new NoDatabaseError(`The schema ${schema} of DATABASE_URL is in use by another box office.`)
    await client.query(`create schema if not exists ${schema}`)
    return client
  } catch (error) {
    await client.end()
    throw error
  }
}

function asSqlError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  return new SqlError({ message: error.message, code: error.code, constraint: error.constraint })
}
