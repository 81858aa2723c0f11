import { setInterval } from 'node:timers'
import { ConfigError, HoldfastError } from '../../base/errors.ts'
import type { Context } from '../context.ts'
import type { OutputFlags } from '../flags.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type Part, type Running, startPrivate } from './servers.ts'

export interface UpFlags extends OutputFlags {
  readonly cluster: boolean
  readonly sentinel: boolean
  readonly shards?: number | undefined
  readonly port?: number | undefined
  readonly replicas?: number | undefined
  readonly spares?: number | undefined
  readonly announce: boolean
}

const LOOK_MS = 250
/** Width of the labels. */
const LABEL = 12

export async function up(this: Context, flags: UpFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const signal = this.interruption.handle()
  checkFlags(flags)
  const running = await startPrivate(flags).catch((error) => {
    throw portError(error, flags)
  })
  try {
    if (signal.aborted) return
    if (flags.json) terminal.json(described(running))
    else tell(terminal, running)
    await untilStopped(terminal, running, signal)
  } finally {
    await running.stop()
    if (!flags.json) terminal.note('Stopped, and the data is gone.')
  }
}

function checkFlags({ cluster, sentinel, shards, replicas, spares, announce }: UpFlags): void {
  const kinds = [cluster && '--cluster', sentinel && '--sentinel', shards !== undefined && '--shards'].filter(Boolean)
  if (kinds.length > 1) throw new ConfigError('up', 'one kind of servers at most', kinds.join(' and '))
  if (replicas !== undefined && !cluster && !sentinel)
    throw new ConfigError('--replicas', '--cluster or --sentinel beside it', 'neither')
  if ((spares !== undefined || announce) && !cluster)
    throw new ConfigError(announce ? '--announce' : '--spares', '--cluster beside it', 'none')
}

/** A port that is taken, or is none, in the words of the command line. Any other error as it is. */
function portError(error: unknown, { port }: UpFlags): unknown {
  if (port === undefined || !(error instanceof ConfigError) || error.option !== 'port') return error
  const expected = `ports of 127.0.0.1 on which nobody listens, from ${port} on (without it, free ones are taken)`
  return new ConfigError('--port', expected, Number(error.received))
}

function described({ kind, url, addressMap, parts }: Running) {
  const servers = parts.map(({ role, server: { host, port, pid, version } }) => ({ role, host, port, pid, version }))
  return { kind, url, ...(addressMap === undefined ? {} : { addressMap }), servers }
}

const TITLES = { server: 'A server', cluster: 'A cluster', sentinel: 'A Sentinel group', shards: 'A group of shards' }

function tell(terminal: Terminal, { kind, url, addressMap, parts }: Running): void {
  const { paint } = terminal
  const [first] = parts
  const processes = parts.length === 1 ? '1 process' : `${parts.length} processes`
  const roles = new Map<string, number[]>()
  for (const { role, server } of parts) roles.set(role, [...(roles.get(role) ?? []), server.port])
  const options = addressMap === undefined ? '' : ', { addressMap }'
  const lines = [
    `${paint('green', `${TITLES[kind]} is up`)}: ${processes}, ${first?.server.kind} ${first?.server.version}, on 127.0.0.1`,
    '',
    ...[...roles].map(([role, ports]) => `  ${paint('dim', role.padEnd(LABEL))}${ports.join(' ')}`),
    `  ${paint('dim', 'url'.padEnd(LABEL))}${paint('bold', url)}`,
    `  ${paint('dim', 'in code'.padEnd(LABEL))}const hf = await connect('${url}'${options})`,
    ...(addressMap === undefined ? [] : [`  ${paint('dim', 'addressMap'.padEnd(LABEL))}${JSON.stringify(addressMap)}`]),
  ]
  terminal.data(lines.join('\n'))
  terminal.note('\nTheir data is in a private folder and goes with them. Ctrl-C stops them.')
}

/** Until the signal, or until the last server has ended by itself. Says who ends: someone may kill one on purpose. */
function untilStopped(terminal: Terminal, { parts }: Running, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = new Set<Part>()
    // The servers do not keep this process alive: this does.
    const timer = setInterval(() => {
      for (const part of parts) {
        if (part.server.pid !== undefined || ended.has(part)) continue
        ended.add(part)
        terminal.note(`${part.role} ${part.server.host}:${part.server.port} has ended.`)
      }
      if (ended.size < parts.length) return
      clearInterval(timer)
      reject(new HoldfastError('CONNECTION_LOST', 'up: every server has ended by itself'))
    }, LOOK_MS)
    const stop = () => {
      clearInterval(timer)
      resolve()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
