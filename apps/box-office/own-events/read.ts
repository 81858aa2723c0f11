/**
 * Reads a file of own events as it comes: records go by one at a time, and the file is read no faster than they are taken, so that
 * a million lines need no more memory than ten.
 */

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { VenueFact } from '../catalogue/programme.ts'
import { COLUMNS, type Fault, OF_A_VENUE, OPTIONAL, type OwnEvent, REQUIRED, readEvent } from './columns.ts'
import { readRecords } from './records.ts'

/** The file cannot be read at all: a message for the person, no stack. */
export class UnreadableFileError extends Error {}

export type Line =
  | { readonly line: number; readonly event: OwnEvent }
  | { readonly line: number; readonly faults: readonly Fault[] }

export interface ReadOptions {
  /** By id and by name, in lower case. */
  readonly venues: ReadonlyMap<string, VenueFact>
  readonly now: Date
}

export async function* readFile(path: string, options: ReadOptions): AsyncGenerator<Line> {
  try {
    const file = await open(path)
    try {
      if ((await file.stat()).isDirectory()) throw new UnreadableFileError(`${path} is a folder.`)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof UnreadableFileError) throw error
    throw new UnreadableFileError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  yield* readLines(createReadStream(path), options)
}

/** The records of `source`, each with the line on which it begins. */
export async function* readLines(
  source: AsyncIterable<Uint8Array | string>,
  { venues, now }: ReadOptions,
): AsyncGenerator<Line> {
  let header: readonly string[] | undefined
  for await (const row of readRecords(source)) {
    const { line } = row
    if (!('fields' in row)) {
      if (header === undefined)
        throw new UnreadableFileError(`line ${line}: expected ${row.expected}, received ${row.received}.`)
      yield { line, faults: [{ column: '(all)', ...row }] }
      continue
    }
    const record = row.fields
    if (header === undefined) {
      header = readHeader(record)
      continue
    }
    const names = header
    if (record.length !== names.length) {
      const expected = `${names.length} fields, as in the header`
      yield { line, faults: [{ line, column: '(all)', expected, received: `${record.length} fields` }] }
      continue
    }
    const fields = new Map(record.map((field, index) => [names[index] as string, field]))
    const read = readEvent(fields, venues, now)
    if ('event' in read) yield { line, event: read.event }
    else yield { line, faults: read.faults.map((fault) => ({ line, ...fault })) }
  }
  if (header === undefined)
    throw new UnreadableFileError(`The file is empty: expected a header with ${REQUIRED.join(', ')}.`)
}

function readHeader(record: readonly string[]): readonly string[] {
  const names = record.map((name) => name.trim().toLowerCase())
  const known: readonly string[] = COLUMNS
  const missing = REQUIRED.filter((name) => !names.includes(name))
  const unknown = names.filter((name) => !known.includes(name))
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  const problems = [
    ...missing.map((name) => `'${name}' is missing`),
    ...unknown.map((name) => `'${name.slice(0, 40)}' is none of ours`),
    ...twice.map((name) => `'${name.slice(0, 40)}' is there twice`),
  ]
  if (problems.length === 0) return names
  throw new UnreadableFileError(
    `line 1: ${problems.slice(0, 8).join(', ')}.\nColumns: ${REQUIRED.join(', ')}; optional ${OPTIONAL.join(', ')}; ` +
      `for a venue of your own also ${OF_A_VENUE.join(', ')}.`,
  )
}
