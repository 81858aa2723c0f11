// What `holdfast verify` looks at, on every topology and as a user with no more rights than it needs.
import { expect, it } from 'vitest'
import { CHECKS } from '../../src/verify/checks.ts'
import { verify } from '../../src/verify/verify.ts'
import { Place } from './place.ts'

const place = new Place({
  caches: [
    ...['cache-aside', 'write-through', 'pipeline', 'invalidate-tag', 'invalidate-pattern', 'memory-tier', 'stampede'],
    ...['null-caching', 'null-caching short', 'query-cache', 'http-cache', 'batch-publishing'],
  ],
  behind: ['write-behind'],
  queues: ['queue', 'priority-queue', 'dead-letters', 'schedules', 'takeover'],
  limiters: {
    ...{ 'limit-gcra': ['gcra'], 'limit-bucket': ['bucket'], 'limit-fixed': ['fixed'] },
    ...{ 'limit-sliding': ['sliding'], 'limit-log': ['log'], 'limit-concurrency': ['concurrency'] },
  },
  ...{ sessions: ['session'], geo: ['geo'], analytics: ['analytics'], seats: true, values: true, locks: true },
  ...{ logs: true, breakers: true, monitor: true, verify: true },
})

it('finds every promise kept, and leaves no key', async () => {
  const [url, { namespace, ...options }] = await place.address()
  const result = await verify({ connect: { url, ...options }, namespace: place.namespace })
  expect(namespace).toBe(place.namespace)
  expect(result.outcomes.filter(({ status }) => status === 'cross')).toEqual([])
  const skipped = result.outcomes.flatMap(({ id, status }) => (status === 'skipped' ? [id] : []))
  expect(skipped).toEqual(place.kind === 'shards' ? [] : ['quorum'])
  expect(result.topology).toBe(place.kind === 'standalone' ? 'single' : place.kind)
  expect(result).toMatchObject({ ticks: CHECKS.length - skipped.length, left: undefined })
  expect(await place.keys(`*{${place.namespace}:*`)).toEqual([])
})

it('refuses a namespace that is in use, and touches nothing there', async () => {
  const [url, { namespace: _own, ...options }] = await place.address()
  await (await place.connect()).value('mine').set(1)
  const verifying = verify({ connect: { url, ...options }, namespace: place.namespace, only: ['lock'] })
  await expect(verifying).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
  expect(await (await place.connect()).value('mine').get()).toBe(1)
})
