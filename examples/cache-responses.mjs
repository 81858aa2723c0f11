/**
 * Responses of an API, cached by one line in front of a handler: 100 requests, one run; a change removes its own URL.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import express from 'express'
import { connect } from 'holdfast'
import { cacheResponse } from 'holdfast/express'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('cache-responses')
const hf = await connect(url, { namespace })

const destinations = new Map([['halong-bay', { id: 'halong-bay', rating: 4.8 }]])
let runs = 0

const cache = hf.cache('responses', { ttl: '1d', stampede: 'fleet' })
const cached = cacheResponse(cache, { ttl: '10m', query: ['lang'], tags: (req) => [`destination:${req.params.id}`] })
// The same line in the others: import { cacheResponse } from 'holdfast/fastify', 'holdfast/hono' or 'holdfast/fetch', and
//   await fastify.register(cached)        hono.get('/destinations/:id', cached, show)        const handler = cached(fetchHandler)

const app = express()
app.get('/destinations/:id', cached, (req, res) => {
  runs += 1
  const destination = destinations.get(req.params.id)
  if (!destination) return res.status(404).json({ error: 'unknown' })
  res.json({ ...destination, lang: req.query.lang ?? 'en' })
})
app.put('/destinations/:id', cached, express.json(), (req, res) => {
  destinations.set(req.params.id, { id: req.params.id, ...req.body })
  res.status(204).end()
})
const listening = app.listen(0, '127.0.0.1')
await once(listening, 'listening')
const api = `http://127.0.0.1:${listening.address().port}`

const get = async (path, headers = {}) => {
  const response = await fetch(api + path, { headers })
  const text = await response.text()
  return { status: response.status, said: response.headers, body: text && JSON.parse(text) }
}
const HALONG = '/destinations/halong-bay'

await Promise.all(Array.from({ length: 100 }, () => get(HALONG)))
assert.equal(runs, 1)
console.log(`100 requests at once: ${runs} run of the handler`)

const hit = await get(`${HALONG}?utm_source=mail`)
assert.equal(runs, 1)
assert.match(hit.said.get('cache-status'), /^Holdfast; hit/)
console.log(`the next, with a parameter that no page depends on: ${hit.said.get('cache-status').replace(/\d+/, '…')}`)

// Node's fetch adds `no-cache` to a request with If-None-Match, unless Cache-Control says something else; browsers do not.
const known = { 'if-none-match': hit.said.get('etag'), 'cache-control': 'max-age=600' }
const unchanged = await get(HALONG, known)
assert.deepEqual([unchanged.status, unchanged.body, runs], [304, '', 1])
console.log(`a browser that has it already: ${unchanged.status}, no body, no run`)

await get(`${HALONG}?lang=fr`)
assert.equal(runs, 2)
console.log('another language is another page: 2 runs')

await fetch(api + HALONG, {
  method: 'PUT',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ rating: 4.9 }),
})
assert.equal((await get(HALONG)).body.rating, 4.9)
await cache.invalidateTag('destination:halong-bay')
const french = await get(`${HALONG}?lang=fr`)
assert.deepEqual([french.body.rating, runs], [4.9, 4])
console.log('a PUT removed its own URL, the tag all languages: everybody reads 4.9')

listening.close()
listening.closeAllConnections()
await hf.close()
await stop()
