// A process that begins a change behind a fence, says so, and never ends it.
import { connect } from 'holdfast'

process.once('message', async ({ url, namespace }: { url: string; namespace: string }) => {
  const hf = await connect(url, { namespace })
  const cache = hf.cache('it', { ttl: '1m' })
  await cache.mutate(
    ['k', 'l'],
    () => {
      process.send?.({ said: 'changing' })
      return new Promise(() => {})
    },
    { fence: '1s' },
  )
})
process.send?.({ said: 'up' })
