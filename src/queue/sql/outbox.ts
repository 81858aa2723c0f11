import { checkFunction, checkInteger, checkKnown, checkName } from '../../base/check.ts'
import { decode, encode } from '../../base/codec.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { HoldfastError } from '../../base/errors.ts'
import { Loop } from '../../loop/loop.ts'
import type { AddedJob } from '../effects.ts'
import { OutboxNotDurableError } from '../errors.ts'
import { type AddOptions, checkAdd } from '../options.ts'
import { checkSql, checkTable, type Row, rowsOf, type Sql } from './sql.ts'

export interface OutboxOptions {
  /** Default `holdfast_outbox`. */
  readonly table?: string
}

export interface RelayOptions extends OutboxOptions {
  /** How often it is looked, where nobody says that there is something. Default `'1s'`. */
  readonly every?: Duration
  /** Most rows of one step, 1 to 1,000. Default 200. */
  readonly batch?: number
  /** Told of a look that failed, and of rows that no job can be made of. Default: nobody. */
  readonly onError?: (error: unknown, row?: string) => void
}

/** Where rows become jobs. */
export interface OutboxTarget {
  readonly name: string
  add(data: never, options?: AddOptions): Promise<AddedJob>
}

/** A row is another's so long after the relay that took it died. */
const CLAIM_SECONDS = 30

/** The statement that makes the table, for a migration. */
export function outboxSchema({ table = 'holdfast_outbox' }: OutboxOptions = {}): string {
  return `create table if not exists ${checkTable(table)} (
  id bigint generated always as identity primary key, queue text not null, payload text not null, types text not null default '',
  options text not null default '{}', claimed_until timestamptz, error text)`
}

/** Puts a job into the outbox, in the transaction that `sql` is: it becomes a job if that commits. `options`: as of `queue.add`, without `id`. */
export async function addToOutbox(
  sql: Sql,
  queue: string,
  data: unknown,
  { table = 'holdfast_outbox', ...options }: OutboxOptions & Omit<AddOptions, 'id'> = {},
): Promise<void> {
  checkName('queue', queue)
  // What would be refused later, is refused here, where the transaction can still be rolled back.
  checkAdd(options)
  const { json, types } = encode(data)
  const insert = `insert into ${checkTable(table)} (queue, payload, types, options) values ($1, $2, $3, $4) returning id`
  const at = options.at instanceof Date ? { at: options.at.getTime() } : {}
  await rowsOf(checkSql(sql), insert, [queue, json, types, JSON.stringify({ ...options, ...at })])
}

/** Makes jobs of the rows of an outbox. Made by `relayOutbox`. */
export class OutboxRelay implements AsyncDisposable {
  readonly #queue: OutboxTarget
  readonly #sql: Sql
  readonly #table: string
  readonly #batch: number
  readonly #onError: (error: unknown, row?: string) => void
  readonly #loop: Loop

  /** @internal */
  constructor(queue: OutboxTarget, sql: Sql, { table, every, batch, onError, ...rest }: RelayOptions = {}) {
    checkKnown('options', rest, [])
    this.#queue = queue
    this.#sql = checkSql(sql)
    this.#table = checkTable(table ?? 'holdfast_outbox')
    this.#batch = checkInteger('batch', batch ?? 200, 1, 1_000)
    this.#onError = checkFunction('onError', onError) ?? (() => {})
    this.#loop = new Loop(async (signal) => void (await this.#relay(signal)), {
      every: toMs(every ?? '1s', 'every'),
      onError: (error) => this.#onError(error),
    })
    this.#loop.within(0)
  }

  /** There is something: resolves when all that was there has become jobs. */
  look(): Promise<void> {
    return this.#loop.runNow()
  }

  /** Ends after the step under way. */
  close(): Promise<void> {
    return this.#loop.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #relay(signal: AbortSignal): Promise<void> {
    // One statement: of several relays each takes rows of its own.
    const claim = `update ${this.#table} set claimed_until = now() + interval '${CLAIM_SECONDS} seconds' where id in (
      select id from ${this.#table} where queue = $1 and error is null and (claimed_until is null or claimed_until < now())
      order by id limit $2 for update skip locked) returning id::text as id, payload, types, options`
    for (;;) {
      if (signal.aborted) return
      const rows = await rowsOf(this.#sql, claim, [this.#queue.name, this.#batch])
      // In the order of the rows: an update answers in any.
      const sorted = [...rows].sort((a, b) => Number(BigInt(String(a.id)) - BigInt(String(b.id))))
      const ended = await Promise.allSettled(sorted.map((row) => this.#add(row)))
      const added = sorted.filter((_, i) => ended[i]?.status === 'fulfilled').map(({ id }) => String(id))
      if (added.length > 0) await this.#delete(added)
      for (const [i, end] of ended.entries())
        if (end.status === 'rejected') await this.#onRefused(sorted[i] as Row, end.reason)
      const isAway = ended.some((end) => end.status === 'rejected' && isPassing(end.reason))
      if (isAway || rows.length < this.#batch) return
    }
  }

  // Those of one tick leave in one call.
  async #add({ id, payload, types, options }: Row): Promise<void> {
    const data = decode(String(payload), String(types))
    const own = JSON.parse(String(options)) as AddOptions
    const added = await this.#queue.add(data as never, { ...own, id: `outbox:${id}` })
    // Not tried again by itself: the job may end meanwhile, and would then be added, and run, each time.
    if (added.durable === false) throw new OutboxNotDurableError(this.#queue.name, added.id)
  }

  async #delete(ids: readonly string[]): Promise<void> {
    const places = ids.map((_, i) => `$${i + 1}::bigint`).join(', ')
    await rowsOf(this.#sql, `delete from ${this.#table} where id in (${places}) returning id`, [...ids])
  }

  /** What may pass is tried again; any other stays in the table with its error, and out of the way. */
  async #onRefused({ id }: Row, error: unknown): Promise<void> {
    this.#onError(error, String(id))
    const keep = isPassing(error) ? 'claimed_until = null' : 'error = $2'
    const values = isPassing(error) ? [id] : [id, String(error)]
    await rowsOf(this.#sql, `update ${this.#table} set ${keep} where id = $1::bigint returning id`, values)
  }
}

const PASSING = [
  'TIMEOUT',
  'CONNECTION_LOST',
  'CONNECTION_CLOSED',
  'QUEUE_FULL',
  'SERVER_FULL',
  'SERVER_DENIED',
  'SERVER_ERROR',
]
const isPassing = (error: unknown): boolean => error instanceof HoldfastError && PASSING.includes(error.code)

/**
 * Makes jobs of the rows that transactions have put into an outbox, from now until it is closed. A row becomes a job under the id
 * `outbox:<row>`, so that a relay that died before it could remove the row adds none beside it while it exists; where even one that has
 * ended must not run twice, its handler asks `once`.
 */
export function relayOutbox(queue: OutboxTarget, sql: Sql, options?: RelayOptions): OutboxRelay {
  return new OutboxRelay(queue, sql, options)
}
