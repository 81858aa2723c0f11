import { createReadStream, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTables } from '../catalogue/schema.ts'
import type { Database } from '../database/database.ts'
import { openPglite } from '../database/pglite.ts'
import { fileOf } from '../place.ts'
import { type Fault, REQUIRED } from './columns.ts'
import { knownVenues, loadEvents } from './load.ts'
import { readFile, readLines, UnreadableFileError } from './read.ts'
import { wordsOf } from './report.ts'

const HEADER = 'artist,title,starts,venue,price'
const GOOD = 'A,B,2031-01-17 19:30,la-scala,20'
const now = new Date('2026-11-21T09:30:00Z')
const options = { venues: knownVenues(), now }

/** What is said of a text, and what is good in it. */
async function read(text: string | AsyncIterable<string | Uint8Array>) {
  const source = typeof text === 'string' ? toStream(text) : text
  const events = []
  const said: string[] = []
  for await (const line of readLines(source, options))
    if ('event' in line) events.push(line)
    else said.push(...line.faults.map((fault) => wordsOf('f.csv', fault)))
  return { events, said }
}

async function* toStream(text: string) {
  yield text
}

/** Cut where it hurts: within a line break, between two quotes, in a letter. */
async function* inPieces(text: string) {
  const bytes = Buffer.from(`\ufeff${text}`)
  for (let i = 0, size = 1; i < bytes.length; i += size, size = ((size * 3) % 1_009) + 1)
    yield bytes.subarray(i, i + size)
}

describe('a file of own events', () => {
  it('is read with the venues that the shop knows, and with venues of its own', async () => {
    const { events, said } = await read(toText(createReadStream(fileOf('data/own-events.example.csv'))))
    expect(said).toEqual([])
    expect(events).toHaveLength(7)
    expect(events[0]).toMatchObject({
      line: 2,
      event: { artist: 'The Lamplighters', currency: 'GBP', startsAt: new Date('2031-01-17T19:30:00Z') },
    })
    expect(events[0]?.event.prices[0]).toBe(4_850n)
    // The clock is the venue's; Hamburg is an hour ahead of Greenwich, and a moment with its offset is that moment.
    expect(events[1]?.event.startsAt).toEqual(new Date('2031-02-03T19:00:00Z'))
    expect(events[3]?.event).toMatchObject({ currency: 'JPY', prices: [9_500n, 6_460n, 4_180n] })
    expect(events[4]?.event.startsAt).toEqual(new Date('2031-03-21T18:00:00Z'))
    expect(events[5]?.event.venue).toMatchObject({ name: 'Old Corn Exchange', city: 'Bury St Edmunds', lat: 52.2446 })
  })

  it('is told of line by line, each wrong field with what was expected, and the good lines go on', async () => {
    const { events, said } = await read(
      [
        HEADER,
        GOOD,
        ',B,2031-01-17 19:30,la-scala,20',
        'A,B,2031-02-30 19:30,la-scala,20',
        'A,B,17.01.2031,la-scala,-3',
        'A,B,2020-01-17 19:30,la-scala,20',
        'A,B,2031-01-17 19:30,la-scala',
        'A,"B\nC",2031-01-18 19:30,la-scala,20',
        'A,B,2031-01-17 19:30,la-scala,20.999',
        `A,${'x'.repeat(161)},2031-01-17 19:30,la-scala,20`,
        'A,B\u202e,2031-01-17 19:30,la-scala,20',
        '',
        GOOD,
      ].join('\n'),
    )
    expect(said).toEqual([
      'f.csv:3: artist: expected a text, received nothing',
      `f.csv:4: starts: expected a time such as '2027-03-04 19:30', received "2031-02-30 19:30"`,
      `f.csv:5: starts: expected a time such as '2027-03-04 19:30', received "17.01.2031"`,
      'f.csv:5: price: expected an amount in EUR from 0 to 1000000, with 2 decimals, received "-3"',
      'f.csv:6: starts: expected a time that lies ahead, received "2020-01-17 19:30"',
      'f.csv:7: expected 5 fields, as in the header, received 4 fields',
      'f.csv:10: price: expected an amount in EUR from 0 to 1000000, with 2 decimals, received "20.999"',
      'f.csv:11: title: expected at most 160 letters, received "161 letters"',
      'f.csv:12: title: expected UTF-8 without control characters, received "B\\u{202e}"',
    ])
    // A record over two lines is told by the line on which it begins, and its break is a space.
    expect(events.map(({ line, event }) => [line, event.title])).toEqual([
      [2, 'B'],
      [8, 'B C'],
      [14, 'B'],
    ])
  })

  it('loses by a bad line that line alone: a quote that stands wrong or is never closed, and a record too long', async () => {
    const elsewhere = 'expected a quote around a whole field, doubled within it, received a quote that stands elsewhere'
    const open = 'expected a quote around a whole field, doubled within it, received a quote that is not closed'
    const long = 'expected a record of at most 16384 letters, received a longer one; is a quote not closed?'
    const rest = ',B,2031-01-17 19:30,la-scala,20'
    const good = Array(3).fill(`A,"B, ""b""",2031-01-17 19:30,la-scala,20`)
    // Each bad line stands in lines 3 and 7, and what is told of it there.
    const cases: [string, string[], [string, string]][] = [
      [`A"x"${rest}`, good, [elsewhere, elsewhere]],
      [`"x"y${rest}`, good, [elsewhere, elsewhere]],
      [`"The "Best" Band"${rest}`, good, [elsewhere, elsewhere]],
      [`${'x'.repeat(16_385)}${rest}`, good, [long, long]],
      [`"${'x'.repeat(70_000)}"${rest}`, good, [long, long]],
      // The quote of line 7 closes that of line 3, and is itself closed by none.
      [`"un${rest}`, Array(3).fill(GOOD), [elsewhere, open]],
    ]
    for (const [bad, after, [first, second]] of cases)
      for (const ending of ['\n', '\r\n', '\r']) {
        const { events, said } = await read(inPieces([HEADER, GOOD, bad, ...after, bad, ...after].join(ending)))
        expect(said).toEqual([`f.csv:3: ${first}`, `f.csv:7: ${second}`])
        expect(events.map(({ line }) => line)).toEqual([2, 4, 5, 6, 8, 9, 10])
      }
    const many = await read([HEADER, `"un${rest}`, ...Array(1_000).fill(GOOD)].join('\n'))
    expect([many.events.length, many.said]).toEqual([1_000, [`f.csv:2: ${long}`]])
    await expect(read(`artist,"title,starts,venue\n${GOOD}`)).rejects.toThrow(/^line 1: expected a quote around/)
  })

  it('keeps no more of a line without an end than a chunk of it', async () => {
    async function* endless() {
      yield `${HEADER}\n"`
      for (let i = 0; i < 2_000; i++) yield 'x'.repeat(65_536)
      yield `\n${GOOD}\n`
    }
    const before = process.memoryUsage().heapUsed
    const { events, said } = await read(endless())
    expect([events.length, said.length, events[0]?.line]).toEqual([1, 1, 3])
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1024 * 1024)
  })

  it('knows no time that the clock of the venue leaves out, and takes the one that it shows twice', async () => {
    const at = (time: string) => `A,B,${time},royal-albert-hall,20`
    const lines = ['2031-03-30 01:30', '2031-03-30 02:00', '2031-03-30T01:30Z', '2031-10-26 01:30'].map(at)
    const { events, said } = await read([HEADER, ...lines].join('\n'))
    expect(said).toEqual([
      'f.csv:2: starts: expected a time that is on the clock in Europe/London, received "2031-03-30 01:30"',
    ])
    expect(events.map(({ line }) => line)).toEqual([3, 4, 5])
  })

  it('asks of a venue of its own all that the shop must know', async () => {
    const header = 'artist,title,starts,venue,city,country,code,lat,lon,capacity,zone,currency'
    const { said } = await read(`${header}\nA,B,2031-01-17 19:30,Shed,Ys,,F,91,x,0,Mars/Base,XXY\n`)
    expect(said.map((line) => line.split(':')[2]?.trim())).toEqual([
      ...['country', 'code', 'lat', 'lon', 'capacity', 'zone', 'currency'],
    ])
  })

  it('without the columns that it must have is refused as a whole', async () => {
    await expect(read('artist;title;starts;venue\n')).rejects.toThrow(/^line 1: 'artist' is missing/)
    await expect(read(`${HEADER},wat,price\n`)).rejects.toThrow(/'wat' is none of ours, 'price' is there twice/)
    await expect(read('')).rejects.toThrow(UnreadableFileError)
    for (const path of ['data', 'data/none.csv'])
      await expect(readFile(fileOf(path), options).next()).rejects.toThrow(UnreadableFileError)
  })

  it('is read no faster than its lines are taken, whatever its size', async () => {
    let written = 0
    async function* endless() {
      yield `${HEADER}\n`
      for (;;) {
        yield `${GOOD}\n`.repeat(100)
        written += 100
      }
    }
    const warned: unknown[] = []
    const warn = (warning: Error) => warned.push(warning)
    process.on('warning', warn)
    let taken = 0
    let furthest = 0
    for await (const _ of readLines(endless(), options)) {
      taken += 1
      furthest = Math.max(furthest, written - taken)
      if (taken === 10_000) break
    }
    // What lies between is buffered: a few chunks, however much has gone by.
    expect(furthest).toBeLessThan(5_000)
    process.off('warning', warn)
    expect(warned).toEqual([])
  })

  it('has its columns written down', () => {
    expect(readdirSync(fileOf('own-events'))).toContain('README.md')
    expect(REQUIRED).toEqual(['artist', 'title', 'starts', 'venue'])
  })
})

describe('loaded into the shop', () => {
  let db: Database
  beforeAll(async () => {
    db = openPglite()
    await createTables(db)
  })
  afterAll(() => db.close())

  it('each event is there once, however often it is said, and each repeat is told', async () => {
    const lines = [GOOD, 'A,B,2031-01-18 19:30,la-scala,20', 'a,b,2031-01-17T18:30Z,TEATRO ALLA SCALA,99', GOOD]
    const load = async () => {
      const faults: Fault[] = []
      const text = [HEADER, ...lines, 'A,B,soon,la-scala,20'].join('\n')
      const loaded = await loadEvents(readLines(toStream(text), options), db, (fault) => faults.push(fault))
      return { loaded, told: faults.map(({ line }) => line) }
    }
    expect(await load()).toEqual({ loaded: { lines: 5, added: 2, refused: 1, repeated: 2 }, told: [6, 4, 5] })
    expect(await load()).toEqual({ loaded: { lines: 5, added: 0, refused: 1, repeated: 4 }, told: [6, 2, 3, 4, 5] })
    const rows = await db.query('select artist, prices, venue_id from events order by starts_at')
    expect(rows[0]).toEqual({ artist: 'A', prices: [2_000n, 1_360n, 880n], venue_id: 'la-scala' })
    expect(rows).toHaveLength(2)
  })
})

async function* toText(stream: AsyncIterable<Buffer>) {
  for await (const chunk of stream) yield chunk.toString('utf8')
}
