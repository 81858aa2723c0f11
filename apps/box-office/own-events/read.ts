/**
 * Reads a file of own events as it comes: records go by one at a time, and the file is read no faster than they are taken, so that
 * a million lines need no more memory than ten.
 */

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { type CsvError, parse } from 'csv-parse'
import type { VenueFact } from '../catalogue/programme.ts'
import { COLUMNS, type Fault, OF_A_VENUE, OPTIONAL, type OwnEvent, REQUIRED, readEvent } from './columns.ts'

/** The file cannot be read at all: a message for the person, no stack. */
export class UnreadableFileError extends Error {}

export type Line =
  | { readonly line: number; readonly event: OwnEvent }
  | { readonly line: number; readonly faults: readonly Fault[] }

/** Larger than any record of ours may be: a quote that is never closed would swallow the rest of the file. */
const LARGEST_RECORD = 16_384

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
  const skipped: Fault[] = []
  const parser = parse({
    bom: true,
    info: true,
    // Told here, with the line: a record with a field too many is no reason to stop.
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: LARGEST_RECORD,
    on_skip: (error) => {
      const fault = error && faultOf(error)
      // Each quote of a line is told; one is enough.
      if (fault !== undefined && skipped.at(-1)?.line !== fault.line) skipped.push(fault)
      return undefined
    },
  })
  const feeding = feed(source, parser)
  // It is awaited at the end; until then a failure ends the parser, and the loop below throws it.
  feeding.catch(() => {})
  let header: readonly string[] | undefined
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    for (const fault of skipped.splice(0)) yield { line: fault.line, faults: [fault] }
    const line = info.lines - record.join('').split('\n').length + 1
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
  await feeding
  for (const fault of skipped) yield { line: fault.line, faults: [fault] }
  if (header === undefined)
    throw new UnreadableFileError(`The file is empty: expected a header with ${REQUIRED.join(', ')}.`)
}

async function feed(source: AsyncIterable<Uint8Array | string>, parser: ReturnType<typeof parse>): Promise<void> {
  try {
    for await (const chunk of source) {
      if (parser.destroyed) return
      if (!parser.write(chunk)) await new Promise((resolve) => parser.once('drain', resolve).once('close', resolve))
    }
    parser.end()
  } catch (error) {
    parser.destroy(error as Error)
    throw error
  }
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

function faultOf(error: CsvError): Fault {
  const line = Number((error as unknown as { lines?: number }).lines ?? 0)
  if (error.code === 'CSV_MAX_RECORD_SIZE')
    return {
      line,
      column: '(all)',
      expected: `a record of at most ${LARGEST_RECORD} bytes`,
      received: 'a longer one; is a quote not closed?',
    }
  const received =
    error.code === 'CSV_QUOTE_NOT_CLOSED' ? 'a quote that is not closed' : 'a quote that stands elsewhere'
  return { line, column: '(all)', expected: 'a quote around a whole field, doubled within it', received }
}
