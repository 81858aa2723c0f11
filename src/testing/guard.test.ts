import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'

const ENTRY = new URL('./index.ts', import.meta.url)
const LOADER = fileURLToPath(new URL('../../scripts/typescript.mjs', import.meta.url))

interface Servers {
  readonly ports: number[]
  readonly dir: string
}

/** Three servers, one of them paused, and one on a unix socket. */
const SERVERS = `
  const servers = await Promise.all([startServer(), startServer(), startServer()])
  await servers[2].pause()
  await startServer({ unixSocket: true })`

/** A cluster, one node of it paused, and a Sentinel group. */
const GROUPS = `
  const [cluster, group] = await Promise.all([startCluster({ spares: 1 }), startSentinel()])
  const servers = [...cluster.nodes, ...cluster.spares, ...group.servers, ...group.sentinels]
  await servers[0].pause()`

/** A process of its own that starts `what` and then does `after`. */
async function processWith(what: string, after: string): Promise<{ child: ChildProcess; servers: Servers }> {
  const program = `
    const { startCluster, startSentinel, startServer } = await import('${ENTRY}')
    ${what}
    const ports = servers.flatMap(({ port, busPort }) => [port, busPort]).filter((port) => port > 0)
    const [, dir] = await servers[1].command('CONFIG', 'GET', 'dir')
    console.log(JSON.stringify({ ports, dir }))
    ${after}`
  const child = spawn(process.execPath, ['--import', LOADER, '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(createInterface(child.stdout!), 'line')
  const { ports, dir } = JSON.parse(line)
  return { child, servers: { ports, dir: dirname(dirname(dir)) } }
}

async function expectNothingLeft({ ports, dir }: Servers): Promise<void> {
  await vi.waitFor(
    async () => {
      expect(await Promise.all(ports.map(isOpen))).toEqual(ports.map(() => false))
      expect(existsSync(dir)).toBe(false)
      expect(existsSync(`${dir}.gone`)).toBe(false)
    },
    { timeout: 5_000, interval: 10 },
  )
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

describe('servers of a process', () => {
  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('die with it when it is ended by %s', async (signal) => {
    const { child, servers } = await processWith(SERVERS, 'setInterval(() => {}, 1_000)')
    child.kill(signal)
    await once(child, 'exit')
    await expectNothingLeft(servers)
  })

  it('die with it when they are a cluster and a Sentinel group', async () => {
    const { child, servers } = await processWith(GROUPS, 'setInterval(() => {}, 1_000)')
    expect(await Promise.all(servers.ports.map(isOpen))).toEqual(Array(2 * 7 + 6).fill(true))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await expectNothingLeft(servers)
  })

  it('are gone when it ends by process.exit', async () => {
    const { child, servers } = await processWith(SERVERS, 'process.exit(7)')
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(7)
    expect(await Promise.all(servers.ports.map(isOpen))).toEqual([false, false, false])
    expect(existsSync(servers.dir)).toBe(false)
  })

  it('do not keep it alive when it forgot to stop them', async () => {
    const { child, servers } = await processWith(SERVERS, '')
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
    await expectNothingLeft(servers)
  })

  it('die with it when it crashes', async () => {
    const { child, servers } = await processWith(SERVERS, "process.kill(process.pid, 'SIGSEGV')")
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    expect(child.signalCode).toBe('SIGSEGV')
    await expectNothingLeft(servers)
  })
})
