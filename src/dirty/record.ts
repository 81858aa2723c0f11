/** A write that is yet to be persisted, as it stands on record. */
export interface DirtyRecord {
  readonly id: string
  /** Rises with each write of the same id. */
  readonly version: string
  readonly deleted: boolean
  /** What the writer put on record. */
  readonly payload: Buffer
  /** How often persisting failed. */
  readonly tries: number
}

const VERSION_LETTERS = 16

export function readRecord(id: string, record: Buffer, tries = 0): DirtyRecord {
  return {
    ...{ id, tries, version: record.toString('latin1', 0, VERSION_LETTERS) },
    deleted: record[VERSION_LETTERS] === 100, // d
    payload: record.subarray(VERSION_LETTERS + 1),
  }
}

/** A write that was given up. */
export interface DeadRecord {
  readonly diedAtMs: number
  readonly error: string
  readonly record: DirtyRecord
}

export function readDeadRecord(id: string, stored: Buffer): DeadRecord {
  const end = stored.indexOf(10)
  const [diedAtMs, tries, ...words] = stored.toString('utf8', 0, end).split(' ')
  const record = readRecord(id, stored.subarray(end + 1), Number(tries))
  return { diedAtMs: Number(diedAtMs), error: words.join(' '), record }
}
