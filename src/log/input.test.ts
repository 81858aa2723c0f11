import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, type Holdfast } from '../holdfast.ts'
import { startServer, type TestServer } from '../testing/index.ts'
import type { Log, LogGroup } from './index.ts'

let server: TestServer
let hf: Holdfast
let log: Log
let group: LogGroup<unknown>

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url)
  log = hf.log('events')
  group = log.group('mail')
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

it.each<[option: string, call: (wrong: never) => unknown]>([
  ['key', (wrong) => log.appendMany([1], { key: wrong })],
  ['id', (wrong) => log.appendMany([1], { id: wrong })],
  ['options', (wrong) => log.read(wrong)],
  ['signal', (wrong) => log.read({ signal: wrong })],
  ['options', (wrong) => log.entries(wrong).next()],
  ['follow', (wrong) => log.entries({ follow: wrong }).next()],
  ['signal', (wrong) => log.entries({ signal: wrong }).next()],
  ['handler', (wrong) => group.process(wrong)],
  ['handler', (wrong) => group.processBatches(wrong)],
  ['options', (wrong) => group.process(() => {}).close(wrong)],
  ['ids', (wrong) => group.redrive({ ids: wrong })],
  ['ids', (wrong) => group.purge({ ids: wrong })],
])('names %s where what came is no such thing', async (option, call) => {
  for (const wrong of [7, [7]] as never[]) {
    const called = (async () => call(wrong))()
    await expect(called).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  }
})

it('appends none of many where one cannot be stored', async () => {
  const before = await log.read()
  await expect(log.appendMany([1, () => 2, 3])).rejects.toMatchObject({ code: 'VALUE_UNWRITABLE' })
  expect(await log.read()).toEqual(before)
})
