import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { killGroup, type Shelter, takeShelter } from './guard.ts'

/**
 * One server program in a private folder: its config file, its log, its data, and the signals that hurt it.
 * It knows nothing of what it runs, so that a Sentinel or a Cluster node is the same thing with another config.
 */
export class ServerProcess {
  readonly #program: string
  readonly #shelter: Shelter = takeShelter()
  #child: ChildProcess | undefined

  constructor(program: string) {
    this.#program = program
    mkdirSync(this.dataDir)
  }

  get dir(): string {
    return this.#shelter.dir
  }

  get dataDir(): string {
    return join(this.dir, 'data')
  }

  /** The id of the running process, or undefined. */
  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined
  }

  get running(): boolean {
    const child = this.#child
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Call back once when the process that now runs has ended. */
  onceEnded(callback: () => void): void {
    this.#child?.once('exit', callback)
  }

  /**
   * Start it with this config, or with the file as it left it when none is given. It has not yet answered anybody.
   */
  start(config: string | undefined, ...args: string[]): void {
    const file = join(this.dir, 'server.conf')
    if (config !== undefined) writeFileSync(file, config, { mode: 0o600 })
    const log = openSync(this.#logFile, 'w')
    try {
      this.#child = this.#shelter.spawn(this.#program, [file, ...args], log)
      this.#child.on('error', () => {})
    } finally {
      closeSync(log)
    }
  }

  /** Stop the process in its tracks: it keeps its memory and its connections, and answers nobody. */
  async pause(): Promise<void> {
    const { pid } = this
    if (pid === undefined) return
    process.kill(pid, 'SIGSTOP')
    while (this.pid === pid && !isStopped(pid)) await nextTurn()
  }

  resume(): void {
    if (this.pid !== undefined) process.kill(this.pid, 'SIGCONT')
  }

  /** SIGKILL, also when paused; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || !this.running) return
    const ended = once(child, 'exit')
    child.ref()
    killGroup(child.pid)
    await ended
  }

  clearData(): void {
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 })
    mkdirSync(this.dataDir)
  }

  /** Everything that the process printed since it was last started. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  /** Kill it and remove its folder. */
  async close(): Promise<void> {
    await this.kill()
    await this.#shelter.leave()
  }

  get #logFile(): string {
    return join(this.dir, 'server.log')
  }
}

/** True when the system says that the process stands still, or cannot tell. */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat[stat.lastIndexOf(')') + 2] === 'T'
  } catch {
    return true
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
