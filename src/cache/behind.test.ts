import { once } from 'node:events'
import { beforeEach, expect, it, vi } from 'vitest'
import { Ground, SOON } from '../holdfast.fixture.ts'
import type { Holdfast } from '../holdfast.ts'
import type { WrittenEntry } from './write-options.ts'

const ground = new Ground('cache')
let hf: Holdfast

beforeEach(async () => {
  hf = await ground.connect()
})

const cacheOf = (thrown: unknown, onError: (error: unknown) => void) => {
  const persist = (entries: readonly WrittenEntry<number>[]) => {
    if (entries.some(({ id }) => id === 'bad')) throw thrown
  }
  const retry = { attempts: 2, base: 1, max: 1 }
  return hf.cache<number>('it', {
    ttl: '1m',
    write: { mode: 'behind', persist, batch: { delay: 1 }, retry, onError },
  })
}

it.each([null, Object.create(null), Object.assign(new Error('x'), { message: undefined })])(
  'gives up a write whose persist throws what no text can be made of: %#',
  async (thrown) => {
    const it = cacheOf(thrown, () => {})
    await it.set('bad', 1)
    for (let i = 0; i < 40; i++) await it.set(`id ${i}`, i)
    await vi.waitFor(async () => {
      // What is taken meanwhile says that the system of record is there.
      await it.set('good', 1)
      expect((await it.writeLag()).dead).toBe(1)
    }, SOON)
    expect(await it.deadWrites()).toMatchObject([{ id: 'bad', error: expect.any(String) }])
    await vi.waitFor(async () => expect(await it.writeLag()).toMatchObject({ dirty: 0 }), SOON)
  },
)

it('warns of an onError that throws, and goes on', async () => {
  const it = cacheOf(new Error('fails'), () => {
    throw new Error('deaf')
  })
  const warned = once(process, 'warning')
  await it.set('bad', 1)
  expect((await warned)[0]).toMatchObject({ code: 'HOLDFAST_ON_ERROR', message: expect.stringContaining("'it'") })
  for (let i = 0; i < 40; i++) await it.set(`id ${i}`, i)
  await vi.waitFor(async () => expect(await it.writeLag()).toMatchObject({ dirty: 0, dead: 1 }), SOON)
})

it.each([7, null, () => true, true])('purges and redrives nothing for what names no writes: %s', async (which) => {
  const it = cacheOf(new Error('fails'), () => {})
  await expect(it.purgeWrites(which as never)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'which' })
  await expect(it.redriveWrites(which as never)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'which' })
})
