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

/** A process of its own that starts three servers, one of them paused, and then does `after`. */
async function processWithServers(after: string): Promise<{ child: ChildProcess; servers: Servers }> {
  const program = `
    const { startServer } = await import('${ENTRY}')
    const servers = await Promise.all([startServer(), startServer(), startServer()])
    const local = await startServer({ unixSocket: true })
    await servers[2].pause()
    console.log(JSON.stringify({ ports: servers.map((server) => server.port), dir: local.socketPath }))
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
    const { child, servers } = await processWithServers('setInterval(() => {}, 1_000)')
    child.kill(signal)
    await once(child, 'exit')
    await expectNothingLeft(servers)
  })

  it('are gone when it ends by process.exit', async () => {
    const { child, servers } = await processWithServers('process.exit(7)')
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(7)
    expect(await Promise.all(servers.ports.map(isOpen))).toEqual([false, false, false])
    expect(existsSync(servers.dir)).toBe(false)
  })

  it('do not keep it alive when it forgot to stop them', async () => {
    const { child, servers } = await processWithServers('')
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
    await expectNothingLeft(servers)
  })

  it('die with it when it crashes', async () => {
    const { child, servers } = await processWithServers("process.kill(process.pid, 'SIGSEGV')")
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    expect(child.signalCode).toBe('SIGSEGV')
    await expectNothingLeft(servers)
  })
})
