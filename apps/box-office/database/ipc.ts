/**
 * A database that lives in the parent process. PGlite is one connection in one process; with this, buyers in several
 * processes write to the same orders.
 */

import type { ChildProcess } from 'node:child_process'
import { type Database, type Row, SqlError, type SqlFailure, type Statement } from './database.ts'

interface Question {
  readonly kind: 'sql'
  readonly id: number
  readonly statements: readonly Statement[]
}

interface Reply {
  readonly kind: 'sql-reply'
  readonly id: number
  readonly rows?: Row[][]
  readonly failure?: SqlFailure
}

/** In the parent: answer the questions of `child`. The channel must be of `serialization: 'advanced'`. */
export function serveDatabase(child: ChildProcess, db: Database): void {
  child.on('message', async (message: Question | { kind: unknown }) => {
    if (message.kind !== 'sql') return
    const { id, statements } = message as Question
    const reply: Reply = await db.transaction(statements).then(
      (rows) => ({ kind: 'sql-reply' as const, id, rows }),
      (error: unknown) => ({ kind: 'sql-reply' as const, id, failure: failureOf(error) }),
    )
    if (child.connected) child.send(reply)
  })
}

/** In the child: the parent's database. */
export function parentDatabase(): Database {
  const waiting = new Map<number, (reply: Reply) => void>()
  let lastId = 0
  const onMessage = (message: Reply | { kind: unknown }) => {
    if (message.kind !== 'sql-reply') return
    const reply = message as Reply
    waiting.get(reply.id)?.(reply)
    waiting.delete(reply.id)
  }
  process.on('message', onMessage)

  async function transaction(statements: readonly Statement[]): Promise<Row[][]> {
    lastId += 1
    const question: Question = { kind: 'sql', id: lastId, statements }
    const { rows, failure } = await new Promise<Reply>((resolve) => {
      waiting.set(question.id, resolve)
      process.send?.(question)
    })
    if (rows !== undefined) return rows
    throw new SqlError(failure ?? { message: 'no answer', code: undefined, constraint: undefined })
  }

  return {
    lasting: true,
    transaction,
    async query<T extends Row>(text: string, values: Statement['values'] = []) {
      return ((await transaction([{ text, values }]))[0] ?? []) as T[]
    },
    async close() {
      process.off('message', onMessage)
    },
  }
}

function failureOf(error: unknown): SqlFailure {
  if (error instanceof SqlError) return { message: error.message, code: error.code, constraint: error.constraint }
  return { message: error instanceof Error ? error.message : String(error), code: undefined, constraint: undefined }
}
