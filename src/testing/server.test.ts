import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type ServerOptions, startServer, type TestServer } from './index.ts'

const running: TestServer[] = []

async function start(options?: ServerOptions): Promise<TestServer> {
  const server = await startServer(options)
  running.push(server)
  return server
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
})

describe('startServer', () => {
  it('answers when it is returned, in well under a second', async () => {
    const startedAt = performance.now()
    const server = await start()
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    expect(await server.command('PING')).toBe('PONG')
    expect(server.version).toMatch(/^\d+\.\d+\.\d+/)
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`)
  })

  it('gives ten servers, started at once, different ports and data', async () => {
    const servers = await Promise.all(Array.from({ length: 10 }, () => start()))
    expect(new Set(servers.map((server) => server.port)).size).toBe(10)
    await servers[0]!.command('SET', 'mine', 1)
    expect(await servers[1]!.command('EXISTS', 'mine')).toBe(0)
  })

  it('listens on a unix socket, and on no port', async () => {
    const server = await start({ unixSocket: true })
    expect(server.url).toBe(`unix://${server.socketPath}`)
    expect(server.port).toBe(0)
    expect(await server.command('CONFIG', 'GET', 'port')).toEqual(['port', '0'])
  })

  it('asks for the password, whatever characters it has', async () => {
    const server = await start({ password: 'p@ss "w\\ö:rd/' })
    expect(new URL(server.url).password).toBe(encodeURIComponent('p@ss "w\\ö:rd/'))
    expect(await server.command('AUTH', 'p@ss "w\\ö:rd/')).toBe('OK')
    await expect(server.command('AUTH', 'wrong')).rejects.toMatchObject({ reply: 'WRONGPASS' })
  })

  it('has the users that it was given, and serves its owner with the default user off', async () => {
    const server = await start({ users: { default: 'off', app: 'on >secret ~app:* +get' } })
    expect(await server.command('ACL', 'DRYRUN', 'app', 'GET', 'app:1')).toBe('OK')
    expect(await server.command('ACL', 'DRYRUN', 'app', 'SET', 'app:1', 'x')).toMatch(/no permissions/)
  })

  it('applies settings in the words of redis.conf', async () => {
    const server = await start({ config: { maxmemory: '10mb', save: '900 1', 'maxmemory-policy': 'allkeys-lru' } })
    expect(await server.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '10485760'])
    expect(await server.command('CONFIG', 'GET', 'save')).toEqual(['save', '900 1'])
  })

  it('names the setting that the server refuses', async () => {
    await expect(startServer({ config: { maxmemoryy: 1 } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('maxmemoryy'),
    })
    await expect(startServer({ config: { save: 'a\nport 1' } })).rejects.toMatchObject({ option: 'config.save' })
  })

  it('refuses a port that another listens on, rather than talk to the stranger', async () => {
    const stranger = await start()
    await expect(startServer({ port: stranger.port })).rejects.toMatchObject({
      ...{ code: 'CONFIG_INVALID', option: 'port', received: `${stranger.port}` },
    })
    expect(await stranger.command('PING')).toBe('PONG')
  })

  it('names the one command that installs a server when there is none', async () => {
    const path = process.env.PATH
    const empty = mkdtempSync(join(tmpdir(), 'no-server-'))
    process.env.PATH = empty
    try {
      const refused = expect(startServer()).rejects
      await refused.toMatchObject({
        code: 'NO_SERVER',
        name: 'NoServerError',
        install: expect.stringMatching(/install/),
      })
    } finally {
      process.env.PATH = path
      rmSync(empty, { recursive: true })
    }
  })
})

describe('a private server', () => {
  it('answers nobody while it is paused, and what was asked once it goes on', async () => {
    const server = await start()
    await server.pause()
    const asked = server.command('ECHO', 'late')
    const first = await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 50, 'silence'))])
    expect(first).toBe('silence')
    await server.resume()
    expect(await asked).toBe('late')
  })

  it('is healed of a pause, of a kill, and left alone while it runs', async () => {
    const server = await start()
    await server.pause()
    await server.heal()
    await server.command('SET', 'k', 'kept')
    await server.heal()
    expect(await server.command('GET', 'k')).toBe('kept')
    await server.kill()
    await server.heal()
    expect(await server.command('PING')).toBe('PONG')
  })

  it('refuses connections once it is killed', async () => {
    const server = await start()
    await server.kill()
    expect(server.pid).toBeUndefined()
    await expect(reach(server.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(server.command('PING')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('comes back on its port and without its data', async () => {
    const server = await start()
    const { port, pid } = server
    await server.command('SET', 'k', 'v')
    await server.restart()
    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(await server.command('DBSIZE')).toBe(0)
  })

  it('comes back with its data from an append-only file, and without when asked', async () => {
    const server = await start({ appendOnly: true })
    await server.command('SET', 'k', 'v')
    await server.kill()
    await server.restart()
    expect(await server.command('GET', 'k')).toBe('v')
    await server.restart({ empty: true })
    expect(await server.command('DBSIZE')).toBe(0)
  })

  it('stops while it is paused, and leaves neither process, nor port, nor folder', async () => {
    const server = await startServer({ unixSocket: true })
    const { pid, socketPath } = server
    await server.pause()
    await server.stop()
    await server.stop()
    expect(() => process.kill(pid!, 0)).toThrow(/ESRCH/)
    expect(existsSync(dirname(socketPath!))).toBe(false)
    await expect(server.command('PING')).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  })

  it('is stopped by the end of its scope', async () => {
    const server = await startServer()
    await server[Symbol.asyncDispose]()
    expect(server.pid).toBeUndefined()
  })

  it('gives bulk strings as text, or as the bytes that they are', async () => {
    const server = await start()
    const bytes = Buffer.from([0, 255, 13, 10, 128])
    await server.command('SET', 'bytes', bytes)
    expect(await server.commandRaw('GET', 'bytes')).toEqual(bytes)
    expect(await server.command('LRANGE', 'none', 0, -1)).toEqual([])
    expect(await server.command('GET', 'none')).toBeNull()
  })
})

function reach(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
