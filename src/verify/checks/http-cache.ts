import { cacheResponse } from '../../http/fetch.ts'
import { type Check, expectEqual, timed } from '../stage.ts'

export const httpCache: Check = {
  id: 'http-cache',
  title: 'Response cache',
  promise: 'a response is made once for all processes and answered from then on; a change of its resource removes it',
  async run({ hf, rival, name, step }) {
    let made = 0
    const handler = async (request: Request) => {
      if (request.method !== 'GET') return new Response(null, { status: 204 })
      return new Response(`made ${++made} times`, { headers: { 'content-type': 'text/plain' } })
    }
    const [near, far] = [hf, rival].map((one) =>
      cacheResponse(one.cache(name, { ttl: '1m', whenDown: 'throw' }), { ttl: '1m' })(handler),
    )
    if (near === undefined || far === undefined) throw new Error('no handler')
    const ask = async (one: typeof near, method = 'GET') =>
      (await one(new Request('http://shop.example/products', { method }))).text()
    expectEqual('the first response', await ask(near), 'made 1 times')
    expectEqual('the response of another process', await ask(far), 'made 1 times')
    await step('stored')
    expectEqual('the response from then on', await ask(near), 'made 1 times')
    const served = await timed('served', 10, () => ask(far))
    await ask(far, 'POST')
    expectEqual('the response after a change', await ask(near), 'made 2 times')
    return served
  },
}
