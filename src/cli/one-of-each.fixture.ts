import type { Holdfast } from '../index.ts'
import { HoldfastKeyv } from '../keyv/index.ts'

/** How long the work that is begun here stays begun: longer than any test. */
const TTL = '10m' as const

/** Makes something of every kind that has keys, under names that could pass for others, each with all the keys that it may have. */
export async function makeOneOfEach(hf: Holdfast): Promise<void> {
  const products = hf.cache<number>('pro*', { ttl: TTL, stampede: 'fleet', load: () => 1 })
  const behind = hf.cache<number>('behind', {
    ttl: TTL,
    write: { mode: 'behind', persist: () => Promise.reject('away') },
  })
  const rules = (['gcra', 'log', 'concurrency'] as const).map((algorithm) => ({ algorithm, limit: 9, per: TTL }))
  const emails = hf.queue<number>('email', { shards: 2 })
  await Promise.all([
    products.get('42'),
    products.set('a:b{c}', 1, { tags: ['team:7'] }).then(() => products.invalidateTag('team:7')),
    behind.set('42', 1),
    hf.lock('payment:77', { ttl: TTL }).acquire(),
    hf.rwLock('catalogue', { ttl: TTL }).read().acquire(),
    hf.semaphore('exports', { permits: 2, ttl: TTL }).acquire(),
    hf.once('invoice:42', () => 1, { ttl: TTL }),
    hf.limiter('api', { rules }).consume('1.2.3.4'),
    hf.sessions().create({}, { userId: 'USR:123' }),
    emails.addMany([1, 2, 3]).then(() => emails.add(4, { delay: TTL })),
    emails.repeat('nightly', { cron: '0 3 * * *', tz: 'UTC' }, 5),
    hf.log<number>('orders').append(1, { id: 'one' }),
    hf.seats('abc').create({ currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 4, price: 1 }] }),
    hf.value<number>('stock').set(1),
    hf.analytics('site').hit('page', '/a', { visitor: 'v', sync: true }),
    hf.geo('venues').add('hall', { lon: 1, lat: 2 }),
    hf
      .breaker('psp', { shared: true, failures: 1 })
      .run(() => Promise.reject(new Error('away')))
      .catch(() => {}),
    hf.monitor.record({ checkout: { count: 1 } }),
    new HoldfastKeyv(hf, 'files').set('users:42', '1'),
  ])
}
