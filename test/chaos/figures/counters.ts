import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Chance } from '../queue/chance.ts'
import type { Counter } from './judge.ts'

// Runs the sources in a process of their own, as Vitest does in its.
const LOADER = new URL('../../../scripts/typescript.mjs', import.meta.url).href
const PROGRAM = fileURLToPath(new URL('./counter-child.ts', import.meta.url))

interface Counting {
  readonly name: string
  readonly process: ChildProcess
}

export interface Place {
  readonly url: string
  readonly addressMap?: Readonly<Record<string, string>>
}

/** Processes that count, each with a file of what it did. */
export class Counters {
  readonly #dir = mkdtempSync(join(tmpdir(), 'figures-chaos-'))
  readonly #place: Place
  readonly #namespace: string
  readonly #all: Counting[] = []
  readonly #working: Counting[] = []

  constructor(place: Place, namespace: string) {
    this.#place = place
    this.#namespace = namespace
  }

  get names(): readonly string[] {
    return this.#all.map(({ name }) => name)
  }

  /** Resolves when so many more count. */
  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#start()))
  }

  async #start(): Promise<void> {
    const { url, addressMap } = this.#place
    const args = [
      '--import',
      LOADER,
      PROGRAM,
      url,
      this.#dir,
      addressMap === undefined ? '' : JSON.stringify(addressMap),
    ]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin!.on('error', () => {})
    const counting = { name: `counter-${this.#all.length + 1}`, process: child }
    this.#all.push(counting)
    const gone = once(child, 'exit').then(([code]) => {
      throw new Error(`${counting.name} ended with ${code} before it was ready`)
    })
    gone.catch(() => {})
    await Promise.race([once(child.stdout!, 'data'), gone])
    child.stdin!.write(`${this.#namespace} ${counting.name}\n`)
    this.#working.push(counting)
    while (this.#linesOf(counting.name).length < 10)
      await Promise.race([gone, new Promise((done) => setTimeout(done, 10))])
  }

  /** kill -9 of one that counts. */
  async kill(chance: Chance): Promise<void> {
    const [counting] = this.#working.splice(chance.below(this.#working.length), 1)
    if (counting === undefined) throw new Error('nobody is left to be killed')
    await end(counting.process)
  }

  /** One that counts stands still for so long. */
  async freeze(chance: Chance, ms: number): Promise<void> {
    const { process: child } = this.#working[chance.below(this.#working.length)] as Counting
    child.kill('SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, ms))
    child.kill('SIGCONT')
  }

  /** What the breakers protect fails for so long. */
  async breakDown(ms: number): Promise<void> {
    writeFileSync(join(this.#dir, 'down'), '')
    await new Promise((resolve) => setTimeout(resolve, ms))
    rmSync(join(this.#dir, 'down'))
  }

  /** All that count end in order, within so long; what every process wrote. */
  async close(withinMs: number): Promise<readonly Counter[]> {
    const late = setTimeout(() => {
      for (const { process: child } of this.#working) child.kill('SIGKILL')
    }, withinMs)
    for (const { process: child } of this.#working) child.stdin!.write('close\n')
    for (const { name, process: child } of this.#working) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      if (child.exitCode !== 0) throw new Error(`${name} did not close within ${withinMs} ms`)
    }
    clearTimeout(late)
    return this.names.map((name) => ({ name, lines: this.#linesOf(name) }))
  }

  /** Whole lines: a process may be killed in the middle of one. */
  #linesOf(name: string): readonly string[] {
    const file = join(this.#dir, name)
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  }

  /** Ends whatever still lives, and removes the files. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map(({ process: child }) => end(child)))
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
