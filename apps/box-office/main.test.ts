import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { fileOf } from './place.ts'

const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
/** Sources are compiled at every start, and the database takes seconds, more on a busy machine. */
const SLOW = { timeout: 120_000 }
let children: ChildProcess[] = []

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children = []
})

/** The program as a person runs it, from the sources. */
function run(args: readonly string[]) {
  const { REDIS_URL: _, DATABASE_URL: __, ...env } = process.env
  const child = spawn(process.execPath, ['--import', LOADER, fileOf('main.ts'), ...args], { env })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    said.out += data
  })
  child.stderr.on('data', (data) => {
    said.err += data
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  async function says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(said.out)
      if (match !== null) return match
      await Promise.race([once(child.stdout, 'data'), ended.then(() => Promise.reject(new Error(said.err)))])
    }
  }
  return { child, said, ended, says }
}

it('sells one night with --once --json, and ends with 0', SLOW, async () => {
  const { ended, said } = run(['--once', '--json', '--buyers', '60', '--seats', '300'])
  expect([await ended, said.err]).toEqual([0, ''])
  expect(JSON.parse(said.out)).toMatchObject({ ok: true, run: { buyers: 60 } })
})

it('tells line by line what is wrong with a file of own events, and ends with 1', SLOW, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'own-events-'))
  const file = join(folder, 'mine.csv')
  await writeFile(file, 'artist,title,starts,venue\nA,B,soon,la-scala\nA,B,2031-01-17 19:30,la-scala\n')
  const { ended, said } = run(['--events', file, '--check'])
  expect(await ended).toBe(1)
  expect(said.err.split('\n')).toEqual([
    `mine.csv:2: starts: expected a time such as '2027-03-04 19:30', received "soon"`,
    'mine.csv: 2 events read, 1 can be sold, 1 refused, 0 repeated.',
    '',
  ])
  await rm(folder, { recursive: true })
})

it('refuses an option that it does not know with 2, and one line that names it', async () => {
  const { ended, said } = run(['--crowds', '3'])
  expect(await ended).toBe(2)
  expect(said.err).toContain('--crowds')
  expect(said.err).not.toContain('    at ')
})

it(
  'prints where it is, takes the next port when one is taken, and leaves nothing behind when it is told to end',
  SLOW,
  async () => {
    const first = run(['--no-crowd', '--port', '46310'])
    const url = new URL(((await first.says(/http:\/\/127\.0\.0\.1:\d+/)) as RegExpExecArray)[0])
    const second = run(['--crowd', '4', '--port', url.port])
    const other = new URL(((await second.says(/http:\/\/127\.0\.0\.1:\d+/)) as RegExpExecArray)[0])
    expect(Number(other.port)).toBeGreaterThan(Number(url.port))
    expect((await fetch(`${other.href}status.json`)).status).toBe(200)
    // A page that is being looked at does not keep the shop open.
    const home = await (await fetch(other)).text()
    const stream = await fetch(`${other.href}${(/events\/[\w-]+/.exec(home) as RegExpExecArray)[0]}/live`)
    expect(stream.status).toBe(200)
    for (const { child, ended, said } of [first, second]) {
      child.kill('SIGINT')
      expect([await ended, said.err]).toEqual([0, ''])
    }
    for (const { port } of [url, other]) expect(await isOpen(Number(port))).toBe(false)
  },
)

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
