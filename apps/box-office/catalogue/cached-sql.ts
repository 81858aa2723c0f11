/**
 * SQL read through the cache: the text of a query and its parameters are the id, its rows the value. Whoever changes what the
 * queries read says so with `changed`, and no answer from before is given after that was acknowledged.
 */

import type { Holdfast } from 'holdfast'
import type { Database, Row, SqlValue } from '../database/database.ts'

export interface CachedSql extends Pick<Database, 'query'> {
  /** Every answer is asked for again. */
  changed(): Promise<void>
}

export interface CachedSqlOptions {
  /** Told of each read, and of each that had to go to SQL. */
  readonly onRead: () => void
  readonly onLoad: () => void
}

const TAG = 'events'

export function cachedSql(hf: Holdfast, db: Database, { onRead, onLoad }: CachedSqlOptions): CachedSql {
  // Lists carry how much is sold, so they are read again every few seconds; the old one serves meanwhile.
  const answers = hf.cache<readonly Row[]>('sql', {
    ttl: '10s',
    expiry: { stale: '1m' },
    memory: { maxEntries: 500, ttl: '10s' },
    stampede: 'fleet',
    tags: [TAG],
  })

  const through = answers.wrap(
    (text: string, values: readonly SqlValue[]): Promise<readonly Row[]> => {
      onLoad()
      return db.query(text, values)
    },
    { name: 'query', key: (text, values) => [text.replace(/\s+/g, ' ').trim(), values] },
  )

  return {
    async query<T extends Row>(text: string, values: readonly SqlValue[] = []) {
      onRead()
      return (await through(text, values)) as T[]
    },
    changed: () => answers.invalidateTag(TAG),
  }
}
