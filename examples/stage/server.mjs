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

/** So many names fall on every server of any Cluster or shards that an example is tried on. */
const NAMES = 100

/** Removes what stands in the namespace of an example, on every server: also what would end by itself, in a minute or a month. */
async function empty(url, namespace) {
  const hf = await reach(url, namespace)
  const servers = () => Object.keys(hf.pool.stats.nodes).length
  for (let n = 0; n < NAMES; n += 1) {
    const known = servers()
    await hf.pool.use((own) => servers() > known && emptyOne(own, namespace), { key: `{${n}}` })
  }
  await hf.close()
}

async function reach(url, namespace) {
  try {
    return await connect(url, { namespace })
  } catch (error) {
    if (error.code !== 'CONNECTION_LOST' && error.code !== 'TIMEOUT') throw error
    console.error(`REDIS_URL: ${error.message}`)
    process.exit(1)
  }
}

async function emptyOne(own, namespace) {
  let cursor = '0'
  do {
    const [next, keys] = await own.call('SCAN', cursor, 'MATCH', `*{${namespace}:*`, 'COUNT', 1_000)
    cursor = next
    // One by one, all at once: on a Cluster they are of many slots.
    await Promise.all(keys.map((key) => own.call('UNLINK', key)))
  } while (cursor !== '0')
}
