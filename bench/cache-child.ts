/** A process of the fleet, for bench/cache.ts: talks by messages, ends when its parent disconnects. */
import { connect } from 'holdfast'

const [url, role] = process.argv.slice(2)
const hf = await connect(url, { namespace: 'bench-fleet', timeout: '5s' })
const send = (message: unknown) => process.send?.(message)

if (role === 'memory') {
  const cache = hf.cache<number>('reach', { ttl: '1h', memory: {} })
  process.on('message', async ({ keep }: { keep: number }) => {
    // The write that came before is told of too: kept is kept when it stands after a look that met it in memory.
    while (cache.stats.memory.entries === 0 || (await cache.peek('one')) !== keep) await cache.peek('one')
    send('kept')
    while (cache.stats.memory.entries > 0) await new Promise(setImmediate)
    send({ atMs: performance.timeOrigin + performance.now() })
  })
} else {
  let loads = 0
  const cache = hf.cache<string>(`cold-${role}`, {
    ttl: '1h',
    stampede: role === 'fleet' ? 'fleet' : 'process',
    load: async (id) => {
      loads++
      await new Promise((resolve) => setTimeout(resolve, 50))
      return id
    },
  })
  process.on('message', async ({ id }: { id: string }) => {
    loads = 0
    const start = performance.now()
    await Promise.all(Array.from({ length: 250 }, () => cache.get(id)))
    send({ loads, lastMs: performance.now() - start })
  })
}
process.on('disconnect', () => void hf.close())
send('ready')
