// One process of a fleet: takes orders by IPC, one at a time, and answers what came of them.
import { type CacheOptions, connect } from 'holdfast'

interface Order {
  readonly url: string
  readonly namespace: string
  readonly stampede: 'process' | 'fleet'
  readonly id: string
  readonly callers: number
  readonly loadMs: number
}

process.once('message', async ({ url, namespace, stampede, id, callers, loadMs }: Order) => {
  const hf = await connect(url, { namespace })
  let loads = 0
  const options: CacheOptions<string> = {
    ttl: '1m',
    stampede,
    load: async () => {
      loads++
      process.send?.({ said: 'loading' })
      await new Promise((resolve) => setTimeout(resolve, loadMs))
      return 'loaded'
    },
  }
  const cache = hf.cache<string>('it', options)
  // So that connecting and the first compilation are not measured.
  await cache.peek('nothing')
  process.send?.({ said: 'ready' })
  process.once('message', async () => {
    const startMs = Date.now()
    const took: number[] = []
    const values = await Promise.all(
      Array.from({ length: callers }, async () => {
        const value = await cache.get(id)
        took.push(Date.now() - startMs)
        return value
      }),
    )
    process.send?.({
      said: 'done',
      loads,
      lastMs: Math.max(...took),
      right: values.every((value) => value === 'loaded'),
    })
    await hf.close()
    process.disconnect()
  })
})
process.send?.({ said: 'up' })
