import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfigError } from '../../base/errors.ts'
import { connect, Holdfast } from '../../holdfast.ts'
import { type PrometheusMetrics, prometheus } from '../../prometheus/prometheus.ts'
import { readInfo } from '../../redis/server.ts'
import type { Context } from '../context.ts'
import { connectOptions, type ServerFlags } from '../flags.ts'

export interface MetricsFlags extends ServerFlags {
  readonly listen?: number | undefined
}

export async function metrics(this: Context, flags: MetricsFlags): Promise<void> {
  const { listen, json } = flags
  const terminal = this.terminal(flags)
  // Whoever scrapes wants to be told that a server is away; a single look is an error then.
  const hf = await connect({ timeout: '2s', ...connectOptions(this, flags), lazy: listen !== undefined })
  try {
    const figures = prometheus(hf, { instance: false })
    if (listen === undefined) {
      await expectAnswer(hf)
      const text = await figures.text()
      return json ? terminal.json({ text }) : terminal.data(text.trimEnd())
    }
    await serve(this, figures, listen, (url) => (json ? terminal.json({ url }) : terminal.data(url)))
  } finally {
    await hf.close()
  }
}

/** Throws where no server says anything of itself: each would be shown as down, also one whose user may not ask. */
async function expectAnswer(hf: Holdfast): Promise<void> {
  const asked = Holdfast.redisOf(hf)
    .topology.primaries()
    .map((node) => readInfo(node, 'server'))
  await Promise.any(asked).catch((error: AggregateError) => {
    throw error.errors[0]
  })
}

/** On loopback alone: what servers say of themselves is not for everybody. Until the first signal. */
async function serve(
  { interruption }: Context,
  figures: PrometheusMetrics,
  port: number,
  told: (url: string) => void,
): Promise<void> {
  const ended = interruption.handle()
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') return void response.writeHead(404).end('/metrics\n')
    figures.text().then(
      (text) => response.writeHead(200, { 'content-type': figures.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening').catch((error: unknown) => {
    throw new ConfigError('--listen', `a port that is free (${(error as Error).message})`, port)
  })
  told(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`)
  if (!ended.aborted) await once(ended, 'abort')
  server.close()
  server.closeAllConnections()
}
