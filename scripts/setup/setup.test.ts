import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fingerprint } from './build.mjs'
import { isInstalled } from './dependencies.mjs'
import { alone } from './lock.mjs'
import { closingLine, countTests } from './results.mjs'

const here = (file: string) => new URL(file, import.meta.url).href

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'setup-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('dependencies', () => {
  const wanted = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/mac': { version: '1', optional: true },
  }

  it('are installed when every package is there in its version, those of other platforms aside', () => {
    expect(isInstalled(wanted, { 'node_modules/a': { version: '1.0.0' } })).toBe(true)
  })

  it('are not when one is missing, is of another version, or when npm never came to its end', () => {
    expect(isInstalled(wanted, {})).toBe(false)
    expect(isInstalled(wanted, { 'node_modules/a': { version: '1.0.1' } })).toBe(false)
    expect(isInstalled(wanted, undefined)).toBe(false)
  })
})

describe('a build', () => {
  it('is stale when a file changes, moves or is added, and not for a test', () => {
    const write = (file: string, text: string) => writeFileSync(join(folder, 'src', file), text)
    const print = () => fingerprint(['src', 'package.json'], folder)
    mkdirSync(join(folder, 'src'))
    const prints = [print()]
    for (const [file, text] of [
      ['a.ts', '1'],
      ['a.ts', '2'],
      ['b.ts', '2'],
    ] as const) {
      write(file, text)
      prints.push(print())
    }
    expect(new Set(prints).size).toBe(4)
    write('a.test.ts', '3')
    expect(print()).toBe(prints.at(-1))
  })

  it('is made by one process at a time, and after one that died in the middle', async () => {
    const file = join(folder, 'lock')
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    writeFileSync(file, String(dead))
    let atWork = 0
    const work = async () => {
      expect(++atWork).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      atWork--
    }
    await Promise.all([alone(file, work), alone(file, work), alone(file, work)])
    expect(existsSync(file)).toBe(false)
  })
})

describe('the closing line', () => {
  const report = {
    numPassedTests: 5,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [] as object[],
  }

  it('says what passed and failed, and what was skipped if anything was', () => {
    expect(closingLine(countTests(report))).toBe('5 passed, 0 failed')
    expect(closingLine(countTests({ ...report, numPendingTests: 2 }))).toBe('5 passed, 0 failed, 2 skipped')
  })

  it('counts a file that could not run, a failed check, and an error outside the tests as failures', () => {
    const broken = { status: 'failed', assertionResults: [] }
    expect(closingLine(countTests({ ...report, testResults: [broken] }))).toBe('5 passed, 1 failed')
    expect(closingLine(countTests(report), 2)).toBe('5 passed, 2 failed')
    expect(closingLine({ ...countTests(report), exitCode: 1 })).toBe('5 passed, 1 failed')
  })
})

describe('a server program', () => {
  const POLICY = '/usr/sbin/policy-rc.d'

  /** Set up a server on a machine that has nothing but `programs`, as root or not. */
  function ensureServer(programs: Record<string, string>, uid: number) {
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(folder, name), 0o755)
    }
    const script = `
      process.getuid = () => ${uid}
      const { ensureServer } = await import('${here('./server.mjs')}')
      const { main } = await import('${here('./progress.mjs')}')
      await main(ensureServer)`
    return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: folder, FOLDER: folder, POLICY },
      encoding: 'utf8',
    })
  }

  it('is taken from the PATH, and nothing is installed', () => {
    const { status, stdout } = ensureServer({ 'valkey-server': '', 'apt-get': 'exit 1' }, 0)
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  })

  it('is left to the person to install when we are not root', () => {
    const { status, stderr } = ensureServer({ 'apt-get': 'echo installed > "$FOLDER/done"' }, 1_000)
    expect(status).toBe(1)
    expect(stderr).toContain('sudo apt-get install -y redis-server')
    expect(existsSync(join(folder, 'done'))).toBe(false)
  })

  it.runIf(process.getuid?.() === 0)('is installed by root, with its service forbidden to start', () => {
    const stood = existsSync(POLICY)
    const apt = `
      echo "$@" >> "$FOLDER/asked"
      case "$*" in update) : > "$FOLDER/lists"; exit;; esac
      [ -e "$FOLDER/lists" ] || exit 100
      "$POLICY"; echo "policy $?" >> "$FOLDER/asked"
      : > "$FOLDER/redis-server"
      PATH=/bin:/usr/bin chmod +x "$FOLDER/redis-server"`
    const { status, stdout } = ensureServer({ 'apt-get': apt }, 0)
    expect(stdout).toMatch(/✓ installing a Redis server/)
    expect(status).toBe(0)
    expect(readFileSync(join(folder, 'asked'), 'utf8')).toMatch(
      /install .*\n.*valkey.*\nupdate\ninstall .* redis-server\npolicy 101/,
    )
    expect(existsSync(POLICY)).toBe(stood)
  })

  it('that cannot be installed shows what the package manager said, and the command', () => {
    const { status, stderr } = ensureServer({ apk: 'echo no network; exit 1' }, 0)
    expect(status).toBe(1)
    expect(stderr).toMatch(/no network[\s\S]*apk add --no-cache redis/)
  })
})

describe('a child of a script', () => {
  const LISTEN = `
    let signals = 0
    process.on('SIGINT', () => setTimeout(() => process.exit(20 + signals), 50) && signals++)
    require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })`

  async function script(): Promise<{ parent: ChildProcess; port: number }> {
    const text = `
      const { runLast } = await import('${here('./process.mjs')}')
      await runLast(process.execPath, ['-e', ${JSON.stringify(LISTEN)}])`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', text], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface(parent.stdout!), 'line')
    return { parent, port: Number(line) }
  }

  const isOpen = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })

  it('gets Ctrl-C once, and gives its exit code', async () => {
    const { parent, port } = await script()
    parent.kill('SIGINT')
    const [code] = await once(parent, 'exit')
    expect(code).toBe(21)
    expect(await isOpen(port)).toBe(false)
  })

  it('ends when the script is killed', async () => {
    const { parent, port } = await script()
    expect(await isOpen(port)).toBe(true)
    parent.kill('SIGKILL')
    await vi.waitFor(async () => expect(await isOpen(port)).toBe(false), { timeout: 5_000, interval: 10 })
  })
})
