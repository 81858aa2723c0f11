import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * What makes every child die with this process, whatever kills it.
 *
 * One private folder a process; in it one folder a child, in which the child itself writes `pid.<its pid>` before it
 * becomes the server. A watchdog shell holds the other end of a pipe: when the pipe closes, this process is gone,
 * and the watchdog kills every pid written there and removes the folder. It moves the folder away first, so that a
 * child on its way up can no longer write its pid, and then ends by itself.
 */
const WATCHDOG = `
trap '' HUP INT TERM
while read -r _; do :; done
mv "$0" "$0.gone" 2>/dev/null || exit 0
for file in "$0.gone"/*/pid.*; do kill -9 "-\${file##*.}" 2>/dev/null; done
rm -rf "$0.gone" 2>/dev/null || { sleep 1; rm -rf "$0.gone"; }
`

/** Run by `sh -c` in the child's place: `$0` is its folder, `$@` the program. */
const ENTER = `: > "$0/pid.$$" && exec "$@"`

interface House {
  readonly root: string
  readonly watchdog: ChildProcess
  readonly cleanUp: () => void
  next: number
  rooms: number
}

let house: House | undefined

/** A private folder whose processes die with this one. */
export interface Shelter {
  readonly dir: string
  /** Start a program that cannot outlive this process. Its output goes to the file descriptor `log`. */
  spawn(program: string, args: readonly string[], log: number): ChildProcess
  /** Remove the folder, once its processes have ended. */
  leave(): Promise<void>
}

export function takeShelter(): Shelter {
  house ??= build()
  const mine = house
  const dir = join(mine.root, String(mine.next++))
  mine.rooms++
  mkdirSync(dir, { mode: 0o700 })
  let left = false
  return {
    dir,
    spawn: (program, args, log) => enter(dir, program, args, log),
    async leave() {
      if (left) return
      left = true
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
      if (--mine.rooms === 0) await tearDown(mine)
    },
  }
}

function enter(dir: string, program: string, args: readonly string[], log: number): ChildProcess {
  // A group of its own: Ctrl-C is for the application, which may still need its server to say goodbye.
  const child = spawn('/bin/sh', ['-c', ENTER, dir, program, ...args], {
    cwd: dir,
    detached: true,
    stdio: ['ignore', log, log],
  })
  child.unref()
  child.once('exit', () => rmSync(join(dir, `pid.${child.pid}`), { force: true }))
  return child
}

function build(): House {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-'))
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, root], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  watchdog.unref()
  watchdog.stdin.on('error', () => {})
  const pipe = watchdog.stdin as typeof watchdog.stdin & { unref?: () => void }
  pipe.unref?.()
  const cleanUp = () => killAll(root)
  process.once('exit', cleanUp)
  return { root, watchdog, cleanUp, next: 1, rooms: 0 }
}

async function tearDown(old: House): Promise<void> {
  if (house === old) house = undefined
  process.off('exit', old.cleanUp)
  const { watchdog } = old
  watchdog.ref()
  if (watchdog.exitCode === null && watchdog.signalCode === null) {
    const ended = once(watchdog, 'exit')
    watchdog.stdin?.end()
    await ended
  }
  // The watchdog has removed it, unless somebody killed the watchdog.
  rmSync(old.root, { recursive: true, force: true })
}

/** What the watchdog does, done at once on an ordinary exit. */
function killAll(root: string): void {
  const gone = `${root}.gone`
  try {
    renameSync(root, gone)
    for (const file of readdirSync(gone, { recursive: true, encoding: 'utf8' })) {
      const pid = /^\d+[\\/]pid\.(\d+)$/.exec(file)?.[1]
      if (pid !== undefined) killGroup(Number(pid))
    }
    rmSync(gone, { recursive: true, force: true, maxRetries: 5 })
  } catch {
    // The watchdog sees the pipe close in a moment and does the rest.
  }
}

/** SIGKILL to a process and its forks (a save in the background). False when there is none. */
export function killGroup(pid: number): boolean {
  try {
    return process.kill(-pid, 'SIGKILL')
  } catch {
    return false
  }
}
