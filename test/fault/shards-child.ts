// One process of its own beside a move: a mover that can be killed, or a client that can be frozen. Takes its orders by IPC.
import { connect } from 'holdfast'
import { moveShards, type ShardOptions } from '../../src/ops/shards/index.ts'

export type ShardOrder =
  | { readonly do: 'move'; readonly options: Pick<ShardOptions, 'url' | 'to' | 'namespace'> }
  | { readonly do: 'write'; readonly url: string; readonly namespace: string; readonly id: string }

process.once('message', async (order: ShardOrder) => {
  if (order.do === 'move') {
    await moveShards({
      ...order.options,
      onProgress: (progress) => process.send?.({ said: progress.step, ...progress }),
    })
    process.send?.({ said: 'moved' })
    process.disconnect()
    return
  }
  const hf = await connect(order.url, { namespace: order.namespace, timeout: '10s' })
  const cache = hf.cache<number>('it', { ttl: '10m', whenDown: 'throw' })
  // One write after the other, each read back.
  let stopping = false
  process.once('message', () => {
    stopping = true
  })
  let count = 0
  while (!stopping) {
    await cache.set(order.id, ++count)
    const found = await cache.get(order.id)
    // -1 is another's.
    if (found !== count && found !== -1) process.send?.({ said: 'wrong', count, found })
    process.send?.({ said: 'wrote', count })
  }
  process.send?.({ said: 'done', count })
  await hf.close()
  process.disconnect()
})
process.send?.({ said: 'up' })
