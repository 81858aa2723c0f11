/** Listens on this machine's own address, on the port that was asked for or the next that is free. */

import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'

const HOST = '127.0.0.1'
const PORTS_TO_TRY = 50

export interface Listening {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
}

/** `port` 0 takes any free one. */
export async function listen(app: Hono, port: number): Promise<Listening> {
  for (let tried = 0; tried < PORTS_TO_TRY; tried += 1) {
    const server = createAdaptorServer({ fetch: app.fetch, hostname: HOST }) as HttpServer
    const wanted = port === 0 ? 0 : port + tried
    if (await bind(server, wanted)) {
      const actual = (server.address() as AddressInfo).port
      return { port: actual, url: `http://${HOST}:${actual}`, stop: () => stop(server) }
    }
  }
  throw new Error(`No free port from ${port} to ${port + PORTS_TO_TRY - 1}.`)
}

function bind(server: HttpServer, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    server.listen(port, HOST, () => resolve(true))
  })
}

function stop(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    // Whatever is still answering gets a moment; a stream that nobody ends does not keep us.
    setTimeout(() => server.closeAllConnections(), 1_000).unref()
  })
}
