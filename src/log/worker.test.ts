import { once } from 'node:events'
import { beforeEach, expect, it, vi } from 'vitest'
import { Ground, SOON } from '../holdfast.fixture.ts'
import type { Holdfast } from '../holdfast.ts'

const ground = new Ground('log')
let hf: Holdfast

beforeEach(async () => {
  hf = await ground.connect()
})

it.each([null, Object.create(null), Object.assign(new Error('x'), { message: undefined })])(
  'parks an entry whose handler throws what no text can be made of, and goes on: %#',
  async (thrown) => {
    const log = hf.log<string>('events')
    const group = log.group('mail', { retry: { attempts: 2, base: 1 } })
    group.process(({ data }) => {
      if (data === 'fails') throw thrown
    })
    await log.appendMany(['fails', 'goes on'])
    await vi.waitFor(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 1 }), SOON)
    expect(await group.deadLetters()).toMatchObject([{ data: 'fails', error: expect.any(String) }])
  },
)

it.each([
  () => {
    throw new Error('deaf')
  },
  () => Promise.reject(new Error('deaf')),
])('warns of an onError that fails, and goes on: %#', async (onError) => {
  const log = hf.log<string>('events')
  const group = log.group('mail', { retry: { attempts: 1 } })
  group.process(({ data }) => (data === 'fails' ? Promise.reject(new Error('fails')) : undefined), { onError })
  const warned = once(process, 'warning')
  await log.appendMany(['fails', 'goes on'])
  expect((await warned)[0]).toMatchObject({ code: 'HOLDFAST_ON_ERROR', message: expect.stringContaining('mail') })
  await vi.waitFor(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 1 }), SOON)
})
