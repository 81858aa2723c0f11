/**
 * The records of a CSV file, as RFC 4180 has them, from text as it comes. What is wrong ends one line and no more: reading goes on behind
 * the next line break after the record's beginning, so that a quote that is never closed costs its own line and not the file.
 */

import { TextDecoder } from 'node:util'

export interface Row {
  /** Where the record begins; the first line is 1. */
  readonly line: number
  readonly fields: readonly string[]
}

export interface BadRow {
  readonly line: number
  readonly expected: string
  readonly received: string
}

/** In letters; larger than any record of ours may be, and the bound on what is kept of one. */
export const LARGEST_RECORD = 16_384

const BREAK = /\r\n|\n|\r/g

/** Reads no faster than records are taken, and keeps no more than a chunk and one record. Lines without a letter are no records. */
export async function* readRecords(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Row | BadRow> {
  let text = ''
  let line = 1
  // In the rest of a line that is told already.
  let isSkipping = false

  function* take(isEnd: boolean): Generator<Row | BadRow> {
    let at = 0
    while (at < text.length) {
      const from = at
      if (!isSkipping) {
        const read = readRecord(text, at, isEnd)
        if (read === undefined) break
        if ('end' in read) {
          at = read.end
          const row = { line, fields: read.fields }
          line += text.slice(from, at).match(BREAK)?.length ?? 0
          if (row.fields.length > 1 || row.fields[0] !== '' || text[from] === '"') yield row
          continue
        }
        yield { line, ...read }
        isSkipping = true
      }
      const end = nextBreak(text, from, isEnd)
      at = end ?? (text.endsWith('\r') ? text.length - 1 : text.length)
      if (end === undefined) break
      isSkipping = false
      line += 1
    }
    text = text.slice(at)
  }

  for await (const chunk of decoded(source)) {
    text += chunk
    yield* take(false)
  }
  yield* take(true)
}

/** As text; UTF-16 is known by its mark. */
async function* decoded(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined
  let isFirst = true
  for await (const chunk of source) {
    if (typeof chunk !== 'string')
      decoder ??= new TextDecoder(chunk[0] === 0xff && chunk[1] === 0xfe ? 'utf-16le' : 'utf-8')
    const text = typeof chunk === 'string' ? chunk : (decoder as TextDecoder).decode(chunk, { stream: true })
    yield isFirst ? text.replace(/^\ufeff/, '') : text
    isFirst = isFirst && text === ''
  }
  yield decoder?.decode() ?? ''
}

type Read =
  | { readonly fields: readonly string[]; readonly end: number }
  | { readonly expected: string; readonly received: string }

const MISPLACED = { expected: 'a quote around a whole field, doubled within it' }
const ELSEWHERE = { ...MISPLACED, received: 'a quote that stands elsewhere' }
const OPEN = { ...MISPLACED, received: 'a quote that is not closed' }
const TOO_LONG = {
  expected: `a record of at most ${LARGEST_RECORD} letters`,
  received: 'a longer one; is a quote not closed?',
}

/** The record that begins at `start`; undefined where more text must come first. */
function readRecord(text: string, start: number, isEnd: boolean): Read | undefined {
  const fields: string[] = []
  const unfinished = () => (text.length - start > LARGEST_RECORD ? TOO_LONG : undefined)
  let at = start
  for (;;) {
    if (text[at] === '"') {
      let close = at + 1
      for (;;) {
        close = text.indexOf('"', close)
        if (close === -1) return unfinished() ?? (isEnd ? OPEN : undefined)
        if (close - start > LARGEST_RECORD) return TOO_LONG
        // A quote at the end of what has come may be doubled by what comes.
        if (close + 1 === text.length && !isEnd) return unfinished()
        if (text[close + 1] !== '"') break
        close += 2
      }
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'))
      at = close + 1
    } else {
      FIELD_END.lastIndex = at
      const end = FIELD_END.exec(text)?.index
      if (end === undefined && !isEnd) return unfinished()
      if (end !== undefined && text[end] === '"') return ELSEWHERE
      fields.push(text.slice(at, end ?? text.length))
      at = end ?? text.length
    }
    if (at - start > LARGEST_RECORD) return TOO_LONG
    if (at === text.length) return { fields, end: at }
    if (text[at] === ',') at += 1
    else {
      if (text[at] !== '\n' && text[at] !== '\r') return ELSEWHERE
      const end = nextBreak(text, at, isEnd)
      return end === undefined ? undefined : { fields, end }
    }
    if (at === text.length && !isEnd) return unfinished()
  }
}

const FIELD_END = /[",\r\n]/g

/** Behind the next line break; undefined where there is none, or its second half may still come. */
function nextBreak(text: string, from: number, isEnd: boolean): number | undefined {
  BREAK.lastIndex = from
  const found = BREAK.exec(text)
  if (found === null) return undefined
  const end = found.index + found[0].length
  return found[0] === '\r' && end === text.length && !isEnd ? undefined : end
}
