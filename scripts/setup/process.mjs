/**
 * Children that end with us. Each has a process group of its own, so that a signal reaches all of it and once only;
 * a watchdog shell holds the other end of a pipe, and ends the group when we are gone, by kill -9 too.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { ROOT } from './paths.mjs'

const PATIENCE_MS = 10_000

const WATCHDOG = `
trap '' HUP INT TERM
read -r _
kill -TERM "-$0" 2>/dev/null || exit 0
for _ in 1 2 3 4 5; do sleep 1; kill -0 "-$0" 2>/dev/null || exit 0; done
kill -9 "-$0" 2>/dev/null
`

/** @type {Set<{ pid: number, forward: (signal: NodeJS.Signals) => void }>} */
const running = new Set()

/** The signal that asked us to end, once one came. */
let asked
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    asked = signal
    if (running.size === 0) process.exit(exitCodeOf(signal))
    for (const child of running) child.forward(signal)
  })

// npm that is killed takes nobody along, neither us nor the shell between us.
if (process.env.npm_lifecycle_event) {
  const family = ancestry()
  const look = () => ancestry() !== family && process.kill(process.pid, 'SIGTERM')
  setInterval(look, 500).unref()
}

/** Our parent and, where the system tells, its parent. */
function ancestry() {
  const parent = process.ppid
  try {
    const stat = readFileSync(`/proc/${parent}/stat`, 'latin1')
    return `${parent} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]}`
  } catch {
    return `${parent}`
  }
}

/**
 * Run a program to its end.
 *
 * options.quiet   keep its output, to be shown when it fails, instead of passing it through
 * options.env     further environment
 * returns         { code, output }; a program that a signal ended has code 128 + its number
 * Ends this process when a signal asked us to end meanwhile: what would come next is not wanted.
 */
export async function run(program, args, options = {}) {
  const result = await runAny(program, args, options)
  if (asked) process.exit(options.last ? result.code : exitCodeOf(asked))
  return result
}

/** Run a program in our place: the exit code of this process is its exit code. */
export async function runLast(program, args, options = {}) {
  const { code } = await run(program, args, { ...options, last: true })
  process.exit(code)
}

function runAny(program, args, { quiet = false, env = {}, cwd = ROOT } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
    child.once('error', (error) => resolve({ code: 127, output: `${program}: ${error.message}\n` }))
    if (child.pid === undefined) return

    const release = guard(child.pid)
    child.once('close', (code, signal) => {
      release()
      resolve({ code: code ?? exitCodeOf(signal), output })
    })
    // 'close' waits for the output's last holder: a grandchild that was left behind would hold it for ever.
    child.once('exit', () => killGroup(child.pid))
  })
}

function guard(pid) {
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.on('error', () => {})
  watchdog.stdin.on('error', () => {})
  watchdog.unref()
  watchdog.stdin.unref()
  let impatience
  const entry = {
    pid,
    forward(signal) {
      killGroup(pid, signal)
      impatience ??= setTimeout(() => killGroup(pid), PATIENCE_MS)
    },
  }
  running.add(entry)
  return () => {
    running.delete(entry)
    clearTimeout(impatience)
    watchdog.kill('SIGKILL')
  }
}

function killGroup(pid, signal = 'SIGKILL') {
  try {
    process.kill(-pid, signal)
  } catch {
    // Gone already.
  }
}

const exitCodeOf = (signal) => 128 + (constants.signals[signal] ?? 1)
