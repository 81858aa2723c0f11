import { createServer } from 'node:net'

/**
 * Below the range from which systems draw ports for outgoing connections: a stopped server's port is not taken by
 * a passing client, nor can a client that reconnects to it meet itself. The bus of a cluster node gets one of these
 * too: its port + 10,000, the default, can lie where outgoing connections are.
 */
const LOWEST = 10_240
const COUNT = 12_000

const given = new Set<number>()

/** A port of 127.0.0.1 on which nobody listens, and which this process was not given before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const port = LOWEST + Math.floor(Math.random() * COUNT)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`no free port on 127.0.0.1 between ${LOWEST} and ${LOWEST + COUNT}`)
}

/** The port may be given out again. */
export function returnPort(port: number): void {
  given.delete(port)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)))
  })
}
