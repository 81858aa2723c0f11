import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { connect, type Holdfast } from '../holdfast.ts'
import { startServer, type TestServer } from '../testing/index.ts'
import { Effects } from './effects.ts'
import type { Queue } from './index.ts'

let server: TestServer
let hf: Holdfast
let queue: Queue

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url)
})
beforeEach(() => {
  queue = hf.queue('jobs', { shards: 2 })
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

it.each<[option: string, call: (wrong: never) => unknown]>([
  ['options', (wrong) => queue.result('x', wrong)],
  ['onProgress', (wrong) => queue.result('x', { wait: 1, onProgress: wrong })],
  ['signal', (wrong) => queue.result('x', { wait: 1, signal: wrong })],
  ['options', (wrong) => queue.redrive(wrong)],
  ['preview', (wrong) => queue.redrive({ preview: wrong })],
  ['options', (wrong) => queue.purge(wrong)],
  ['options', (wrong) => queue.repeat('x', { every: '1h' }, 1, wrong)],
  ['id', (wrong) => queue.unrepeat(wrong)],
  ['options', (wrong) => new Effects().follow(1, wrong)],
  ['queue', (wrong) => new Effects().follow(1, { queue: wrong })],
])('names %s where what came is no such thing', async (option, call) => {
  for (const wrong of [null, 7, [7]] as never[]) {
    const called = (async () => call(wrong))()
    await expect(called).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  }
})
