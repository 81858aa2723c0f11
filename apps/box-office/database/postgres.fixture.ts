/** For tests: a private Postgres server on a free port of loopback, where its programs are installed. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import pg from 'pg'

/** Where Debian keeps them, which is not on the PATH. */
const DEBIAN = '/usr/lib/postgresql'

/** The folder of `postgres` and `initdb`; undefined where there is none. */
export const POSTGRES = findPostgres()

export function postgresTests(name: string): string {
  return POSTGRES === undefined ? `NOT RUN (no postgres on the PATH): ${name}` : name
}

export interface TestPostgres {
  readonly url: string
  stop(): Promise<void>
}

const USER = 'box'

export async function startPostgres(): Promise<TestPostgres> {
  const bin = POSTGRES as string
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'))
  // It refuses to run as root.
  const as = process.getuid?.() === 0 ? ownerOf('nobody') : undefined
  if (as !== undefined) chownSync(folder, as.uid, as.gid)
  const data = join(folder, 'data')
  const quick = ['--no-sync', '--auth=trust', '--encoding=UTF8', '--locale=C', `--username=${USER}`]
  execFileSync(join(bin, 'initdb'), ['-D', data, ...quick], { ...as, cwd: folder, stdio: 'pipe' })
  const port = await freePort()
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: folder, fsync: 'off' }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...args], { ...as, cwd: folder, stdio: 'ignore' })
  const url = `postgres://${USER}@127.0.0.1:${port}/postgres`
  const stop = async () => {
    await end(server)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await answers(url, server)
    return { url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const gone = once(server, 'exit')
  // Fast shutdown: whoever is connected is let go.
  server.kill('SIGINT')
  await gone
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  for (const until = Date.now() + 30_000; ; ) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => {})
    const failure = await client.connect().catch((error: Error) => error)
    await client.end().catch(() => {})
    if (!(failure instanceof Error)) return
    if (server.exitCode !== null || Date.now() > until) throw failure
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function findPostgres(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'postgres'))
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin/postgres')) : []
  // A link on the PATH may stand alone: the other programs lie beside what it leads to.
  const folders = [...onPath, ...debian].filter((path) => existsSync(path)).map((path) => dirname(realpathSync(path)))
  return folders.find((folder) => existsSync(join(folder, 'initdb')))
}

function ownerOf(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
