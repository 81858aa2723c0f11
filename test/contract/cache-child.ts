// One process of a fleet: is told where to connect, asks for one cold key on a signal, and says what came of it.
import { type ConnectOptions, connect } from 'holdfast'

interface Order {
  readonly url: string
  readonly options: ConnectOptions
  readonly callers: number
}

export interface ChildSaid {
  readonly said: 'up' | 'ready' | 'done'
  readonly loads: number
  readonly values: readonly string[]
}

process.once('message', async ({ url, options, callers }: Order) => {
  const hf = await connect(url, options)
  let loads = 0
  const cache = hf.cache<string>('it', {
    ttl: '1m',
    stampede: 'fleet',
    load: async () => {
      loads++
      await new Promise((resolve) => setTimeout(resolve, 200))
      return `loaded by ${process.pid}`
    },
  })
  process.once('message', async () => {
    const values = await Promise.all(Array.from({ length: callers }, () => cache.get('cold')))
    await hf.close()
    process.send?.({ said: 'done', loads, values })
    process.disconnect()
  })
  process.send?.({ said: 'ready' })
})
process.send?.({ said: 'up' })
