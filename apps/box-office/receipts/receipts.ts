/**
 * The receipt of each paid order, exactly once in the books and at least once on its way.
 *
 *   1  SQL    with the sale, in its statement: a row 'due' (`ledger.sell`)
 *   2  Redis  a job whose id is the order's number: the same order added twice is one job
 *   3  SQL    take the row by the job's fence, write the letter, deliver it, row 'sent'
 *
 * Whoever dies between 1 and 2, or loses Redis after 2, leaves a row that is due: the keeper looks for those and adds them again, which does
 * nothing where the job lives. That is why the row stays until the letter is out, where an outbox (`relayOutbox`) lets go of its row as soon as
 * Redis has the job: this shop's Redis keeps nothing over a restart, and a failover may forget the last adds. Whoever dies in 3 before 'sent'
 * leaves a job that runs elsewhere; a file is then written over itself, and a mail comes with the same Message-ID.
 */

import type { Holdfast } from 'holdfast'
import { GiveUp, type Queue } from 'holdfast/queue'
import type { Catalogue } from '../catalogue/catalogue.ts'
import type { Database } from '../database/database.ts'
import { isPassing } from '../faults.ts'
import type { Figures } from '../figures/figures.ts'
import { LetterRefusedError, type Post } from '../mail/post.ts'
import { createReceiptBook, type ReceiptBook } from './book.ts'
import { letterOf } from './receipt.tsx'

const ATTEMPTS = 8
const LOOK_MS = 1_000
/** A receipt that is due so long after it was put into the queue is put there once more. */
const PATIENCE_MS = 15_000
const BATCH = 500

export interface ReceiptJob {
  readonly order: string
}

export interface ReceiptsOptions {
  readonly hf: Pick<Holdfast, 'queue'>
  readonly db: Database
  readonly catalogue: Catalogue
  readonly figures: Figures
  readonly post: Post
  readonly onFault?: (error: unknown, what: string) => void
  /** The first wait before another attempt; it doubles up to five minutes. Default a second. */
  readonly firstRetryMs?: number
  /** So long after a process died its receipts are written elsewhere. Default `'15s'`. */
  readonly lease?: `${number}ms` | `${number}s`
}

export interface Receipts {
  readonly queue: Queue<ReceiptJob>
  readonly book: ReceiptBook
  /** Begins to look for what is due, and to write it. */
  start(): void
  /** There is one more. */
  nudge(): void
  /** What is due and was put into the queue longer ago than `olderThanMs`, or never, is put there. */
  run(olderThanMs: number): Promise<void>
  stop(): Promise<void>
}

export function createReceipts(options: ReceiptsOptions): Receipts {
  const { hf, db, catalogue, figures, post, onFault, firstRetryMs = 1_000, lease = '15s' } = options
  const book = createReceiptBook(db)
  const queue = hf.queue<ReceiptJob>('receipts', {
    ...{ attempts: ATTEMPTS, lease, timeout: '1m' },
    backoff: { base: firstRetryMs, max: '5m', jitter: 0.2 },
  })
  let worker: ReturnType<typeof queue.process> | undefined
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> | undefined
  let again = false

  async function run(olderThanMs: number): Promise<void> {
    const due = await book.due(olderThanMs, BATCH)
    if (due.length === 0) return
    const dead = due.some((one) => one.again)
      ? await deadOf(due.map(({ number }) => number))
      : new Map<string, string>()
    for (const [number, reason] of dead) await book.failed(number, 'failed', reason)
    const numbers = due.map(({ number }) => number).filter((number) => !dead.has(number))
    if (numbers.length === 0) return
    await queue.addMany(
      numbers.map((order) => ({ order })),
      ({ order }) => ({ id: order }),
    )
    await book.queued(numbers)
  }

  /** Of these orders, those whose job is a dead letter, and why: a crash tells nobody else. */
  async function deadOf(numbers: readonly string[]): Promise<Map<string, string>> {
    const asked = new Set(numbers)
    const letters = await queue.deadLetters({ limit: BATCH, filter: ({ id }) => asked.has(id) })
    return new Map(letters.map(({ id, reason, error }) => [id, error?.message ?? reason]))
  }

  async function write({ order: number }: ReceiptJob, fence: bigint, isLast: boolean): Promise<void> {
    const taken = await book.take(number, fence)
    if (taken === undefined) return
    const { order, address, paidWith } = taken
    try {
      const event = await catalogue.event(order.eventId)
      if (event === undefined) throw new Error(`order ${number} is for ${order.eventId}, which is no event`)
      const via = await post.send(letterOf({ order, event, paidWith }, address))
      await book.sent(number, via)
      figures.count('receipts')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const isRefused = error instanceof LetterRefusedError
      if (isRefused || isLast) await book.failed(number, isRefused ? 'refused' : 'failed', reason)
      throw isRefused ? new GiveUp(reason, { cause: error }) : error
    }
  }

  /** A letter that is refused is a dead letter, which the status page counts. */
  function tell(error: unknown, what: string): void {
    if (!(error instanceof GiveUp) && !isPassing(error)) onFault?.(error, what)
  }

  function look(): void {
    again = round !== undefined
    round ??= run(PATIENCE_MS)
      .catch((error: unknown) => tell(error, 'putting receipts into the queue'))
      .finally(() => {
        round = undefined
        if (again && timer !== undefined) look()
      })
  }

  return {
    ...{ queue, book, run },
    start() {
      worker ??= queue.process((job) => write(job.data, job.fence, job.attempt >= ATTEMPTS), {
        concurrency: 4,
        onError: (error, job) => tell(error, job === undefined ? 'receipts' : `the receipt of ${job.id}`),
      })
      timer ??= setInterval(look, LOOK_MS)
      look()
    },
    nudge() {
      if (timer !== undefined) look()
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      await round
      await worker?.close({ timeout: '5s' })
      worker = undefined
    },
  }
}
