import { expect, it } from 'vitest'
import { readOptions, UsageError } from './options.ts'

it('opens the shop with a crowd, on port 4600, in memory', () => {
  expect(readOptions([], {})).toMatchObject({ port: 4_600, crowd: 24, dataDir: undefined, once: undefined })
})

it('sends the crowd away with --no-crowd', () => {
  expect(readOptions(['--no-crowd', '--crowd', '9'], {}).crowd).toBe(0)
})

it('sells 1,200 seats to 2,000 buyers with --once', () => {
  expect(readOptions(['--once'], {}).once).toEqual({ buyers: 2_000, seats: 1_200, seed: 1, processes: 1 })
})

it('refuses what it does not know, by name', () => {
  for (const args of [['--prot', '1'], ['--port', 'x'], ['--seats', '20'], ['--buyers', '-3'], ['once']])
    expect(() => readOptions(args, {})).toThrow(UsageError)
  expect(() => readOptions(['--port', '70000'], {})).toThrow(/--port: expected a whole number from 0 to 65000/)
})

it('treats an empty REDIS_URL as none', () => {
  expect(readOptions([], { REDIS_URL: '' }).redis).toBeUndefined()
})

it('takes a file of own events, to sell or only to look at', () => {
  expect(readOptions(['--events', 'a.csv'], {})).toMatchObject({ events: 'a.csv', check: false })
  expect(readOptions(['--events', 'a.csv', '--check'], {}).check).toBe(true)
  for (const args of [['--check'], ['--events', ''], ['--events', 'a.csv', '--once']])
    expect(() => readOptions(args, {})).toThrow(UsageError)
})

it('takes a Postgres server of DATABASE_URL, and never repeats what is none', () => {
  const DATABASE_URL = 'postgres://me:secret@127.0.0.1:5432/shop'
  expect(readOptions([], { DATABASE_URL }).databaseUrl).toBe(DATABASE_URL)
  expect(readOptions(['--once'], { DATABASE_URL: '' }).databaseUrl).toBeUndefined()
  expect(() => readOptions(['--keep'], { DATABASE_URL })).toThrow(/--keep and --data/)
  expect(() => readOptions([], { DATABASE_URL: 'mysql://me:secret@h/d' })).toThrow(/^((?!secret)[\s\S])*$/)
})

it('takes a mail server of SMTP_URL, and never repeats what is none', () => {
  const SMTP_URL = 'smtps://me:secret@127.0.0.1:465'
  expect(readOptions([], { SMTP_URL, REPORTS_TO: 'ann@box.example', MAIL_FROM: '' }).smtp).toEqual({
    ...{ url: SMTP_URL, from: undefined, reportsTo: 'ann@box.example' },
  })
  expect(readOptions([], { SMTP_URL: '' }).smtp).toBeUndefined()
  expect(() => readOptions([], { SMTP_URL: 'me:secret@h' })).toThrow(/^((?!secret)[\s\S])*$/)
})

it('takes any address of REDIS_URL, and a map of announced ones', () => {
  const REDIS_URL = 'redis+cluster://10.0.0.1:7001,10.0.0.2:7001'
  expect(readOptions([], { REDIS_URL }).redis).toEqual({ url: REDIS_URL })
  expect(readOptions([], { REDIS_URL, REDIS_ADDRESS_MAP: 'a:7001=127.0.0.1:7001, b=127.0.0.1' }).redis).toEqual({
    url: REDIS_URL,
    addressMap: { 'a:7001': '127.0.0.1:7001', b: '127.0.0.1' },
  })
  for (const REDIS_ADDRESS_MAP of ['a', 'a=', '172.30.0.0/24=127.0.0.1'])
    expect(() => readOptions([], { REDIS_URL, REDIS_ADDRESS_MAP })).toThrow(/REDIS_ADDRESS_MAP: expected/)
})

it('starts one server, a Cluster or a Sentinel group', () => {
  expect(readOptions([], {})).toMatchObject({ layout: 'server', storm: false })
  expect(readOptions(['--cluster'], {}).layout).toBe('cluster')
  expect(readOptions(['--once', '--sentinel', '--storm'], {})).toMatchObject({ layout: 'sentinel', storm: true })
})

it('refuses two layouts, a layout beside REDIS_URL, and a storm over what nobody would replace', () => {
  const env = { REDIS_URL: 'redis://127.0.0.1' }
  expect(() => readOptions(['--cluster', '--sentinel'], {})).toThrow(/--cluster and --sentinel/)
  expect(() => readOptions(['--cluster'], env)).toThrow(/REDIS_URL/)
  expect(() => readOptions(['--sentinel'], env)).toThrow(UsageError)
  expect(() => readOptions(['--storm'], {})).toThrow(/--cluster or --sentinel/)
  expect(() => readOptions(['--storm'], env)).toThrow(UsageError)
})
