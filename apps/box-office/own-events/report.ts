/** What is said of a file of own events: a line for each fault, as compilers write them, and a summary. */

import { basename } from 'node:path'
import type { Database } from '../database/database.ts'
import type { Fault } from './columns.ts'
import { knownVenues, type Loaded, loadEvents } from './load.ts'
import { type Line, readFile } from './read.ts'

/** Further ones are counted: a file of another kind has a fault in each of its lines. */
const MOST_SAID = 1_000
const LONGEST_RECEIVED = 60
const PROGRESS_EVERY = 100_000

/** Faults go to stderr as they come, the summary after them. Without `db` the file is only looked at. */
export async function takeEvents(file: string, db: Database | undefined, signal?: AbortSignal): Promise<Loaded> {
  let said = 0
  const name = basename(file)
  const lines = interruptible(readFile(file, { venues: knownVenues(), now: new Date() }), signal)
  const loaded = await loadEvents(lines, db, (fault) => {
    said += 1
    if (said <= MOST_SAID) console.error(wordsOf(name, fault))
  })
  if (said > MOST_SAID) console.error(`… and ${(said - MOST_SAID).toLocaleString('en')} more.`)
  console.error(summaryOf(name, loaded, db === undefined))
  return loaded
}

async function* interruptible(lines: AsyncIterable<Line>, signal: AbortSignal | undefined): AsyncGenerator<Line> {
  let read = 0
  for await (const line of lines) {
    signal?.throwIfAborted()
    read += 1
    if (read % PROGRESS_EVERY === 0 && process.stderr.isTTY) console.error(`… ${read.toLocaleString('en')} lines`)
    yield line
  }
}

/** 'events.csv:12: price: expected an amount in EUR, received "ten"' */
export function wordsOf(file: string, { line, column, expected, received }: Fault): string {
  const letters = [...received]
  const short = letters.length > LONGEST_RECEIVED ? `${letters.slice(0, LONGEST_RECEIVED).join('')}…` : received
  const where = column === '(all)' ? '' : ` ${column}:`
  const what = received === '' ? 'nothing' : column === '(all)' ? short : harmless(short)
  return `${file}:${line}:${where} expected ${expected}, received ${what}`
}

/** In quotes, and without anything that a terminal would obey. */
function harmless(text: string): string {
  const codeOf = (letter: string) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`
  return JSON.stringify(text).replace(/[\p{Cc}\p{Cf}]/gu, codeOf)
}

function summaryOf(file: string, { lines, added, refused, repeated }: Loaded, onlyLooked: boolean): string {
  const count = (n: number) => n.toLocaleString('en')
  const good = onlyLooked ? 'can be sold' : 'are on sale'
  const parts = [`${count(added)} ${good}`, `${count(refused)} refused`, `${count(repeated)} repeated`]
  return `${file}: ${count(lines)} ${lines === 1 ? 'event' : 'events'} read, ${parts.join(', ')}.`
}
