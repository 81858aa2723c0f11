/** The server that an example uses: the one of REDIS_URL, else a private one that ends with it. */
import { connect } from 'holdfast'
import { startServer } from 'holdfast/testing'

/** `url` and `namespace` to connect with; `stop()` leaves nothing behind. */
export async function openServer(name) {
  const namespace = `example-${name}`
  const { REDIS_URL: url } = process.env
  if (url) {
    // Of a run that was broken off.
    await empty(url, namespace)
    return { url, namespace, stop: () => empty(url, namespace) }
  }
  const server = await startServer()
  return { url: server.url, namespace, stop: () => server.stop() }
}

/** Removes what stands in the namespace of an example, on every server: also what would end by itself, in a minute or a month. */
async function empty(url, namespace) {
  const hf = await connect(url, { namespace })
  const seen = () => Object.keys(hf.pool.stats.nodes).length
  for (let before = -1; seen() > before; ) {
    before = seen()
    // Without a key it is given to the next server each time.
    await hf.pool.use((own) => emptyOne(own, namespace))
  }
  await hf.close()
}

async function emptyOne(own, namespace) {
  let cursor = '0'
  do {
    const [next, keys] = await own.call('SCAN', cursor, 'MATCH', `*{${namespace}:*`, 'COUNT', 1_000)
    cursor = next
    // One by one: on a Cluster they are of many slots.
    for (const key of keys) await own.call('UNLINK', key)
  } while (cursor !== '0')
}
