/** The server that an example uses: the one of REDIS_URL, else a private one that ends with it. */
import { startServer } from 'holdfast/testing'

export async function openServer() {
  const { REDIS_URL } = process.env
  if (REDIS_URL) return { url: REDIS_URL, stop: async () => {} }
  const server = await startServer()
  return { url: server.url, stop: () => server.stop() }
}
