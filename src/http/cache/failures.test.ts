// What goes wrong: bodies cut short, handlers that fail or never end, and the user's own functions that do.
import { expect, it } from 'vitest'
import { cacheResponse } from '../fetch.ts'
import { Site, statusOf } from './site.fixture.ts'

const site = new Site()

it.each([
  ['at once', 'cut', () => '12345'],
  ['in parts', 'streams', () => new ReadableStream({ pull: sendAndEnd })],
])('stores nothing of a body that ends %s before the length it was promised', async (_, detail, body) => {
  const ask = site.open(
    () => new Response(body() as string, { headers: { 'content-length': '10', 'cache-control': 'max-age=60' } }),
  )
  for (let i = 0; i < 2; i++) {
    const response = await ask('/p')
    expect([await response.text(), response.headers.get('content-length')]).toEqual(['12345', '10'])
    expect(statusOf(response)).toBe(`Holdfast; fwd=miss; fwd-status=200; detail=${detail}`)
    await site.settled()
  }
  expect(await site.cache.peek('http://shop.test/p')).toBeUndefined()
})

it('goes on to the handler where it is wrapped twice in the same cache', async () => {
  const inner = cacheResponse(site.cache, { ttl: '1h' })
  const ask = site.open(
    inner(() => new Response('x')),
    { ttl: '1m' },
  )
  expect(statusOf(await ask('/p'))).toBe('Holdfast; fwd=miss; fwd-status=200; stored')
})

async function sendAndEnd(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  controller.enqueue(Buffer.from('12345'))
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  controller.close()
}
