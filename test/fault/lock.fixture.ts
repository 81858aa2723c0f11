import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const programOf = (name: string) => fileURLToPath(new URL(`./${name}-child.ts`, import.meta.url))

/** A process with locks, or another program of this folder by its name; every line that it says goes to `hear`. */
export class Child {
  readonly process: ChildProcess
  readonly lines: string[] = []
  readonly #waiting = new Set<() => void>()

  constructor(url: string, hear: (line: string) => void = () => {}, program = 'lock') {
    const args = ['--import', LOADER, programOf(program), url]
    this.process = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.process.stdin!.on('error', () => {})
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.lines.push(line)
      hear(line)
      for (const wake of this.#waiting) wake()
    })
    this.process.once('close', () => {
      for (const wake of this.#waiting) wake()
    })
  }

  do(mode: string, namespace: string, count = 1): void {
    this.process.stdin!.write(`${mode} ${namespace} ${count}\n`)
  }

  /** The first line that begins so, said or still to come; rejects when the process ends without it. */
  async said(start: string): Promise<string> {
    for (;;) {
      const line = this.lines.find((said) => said.startsWith(start))
      if (line !== undefined) return line
      if (this.process.exitCode !== null) throw new Error(`the process has ended and never said '${start}'`)
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }

  stop(): void {
    this.process.kill('SIGSTOP')
  }

  resume(): void {
    this.process.kill('SIGCONT')
  }

  kill(): Promise<void> {
    const { process: child } = this
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.kill('SIGKILL')
    })
  }
}
