import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Chance } from './chance.ts'
import { type Ledger, nowMicros, type WorkerLife } from './ledger.ts'

// Runs the sources in a process of their own, as Vitest does in its.
const LOADER = new URL('../../../scripts/typescript.mjs', import.meta.url).href
const PROGRAM = fileURLToPath(new URL('./worker-child.ts', import.meta.url))

interface WorkerProcess {
  readonly life: WorkerLife
  readonly file: string
  readonly process: ChildProcess
  /** It has read its program, and works as soon as it is told where. */
  readonly ready: Promise<unknown>
}

/** More are not killed at once. */
const SPARES = 2

export interface WorkOrder {
  readonly url: string
  readonly addressMap?: Readonly<Record<string, string>>
  readonly namespace: string
  readonly leaseMs: number
  readonly shards: number
}

/** Processes that work on the queue, each with a file of what it did. Some more are made ready, to take the places of the dead. */
export class Workers {
  readonly #ledger: Ledger
  readonly #order: WorkOrder
  readonly #dir = mkdtempSync(join(tmpdir(), 'queue-chaos-'))
  readonly #working: WorkerProcess[] = []
  readonly #all: WorkerProcess[] = []
  readonly #spares: WorkerProcess[] = []
  readonly #coming = new Set<Promise<void>>()
  #count = 0
  /** How many are still to be killed. */
  #kills = 0

  constructor(ledger: Ledger, order: WorkOrder) {
    this.#ledger = ledger
    this.#order = order
  }

  /** So many that work, and others for the places of so many that will be killed. */
  async start(count: number, kills: number): Promise<void> {
    const made = Array.from({ length: count }, () => this.#make())
    this.#kills = kills
    this.#prepare()
    await Promise.all(made.map((one) => this.#send(one)))
  }

  #prepare(): void {
    while (this.#spares.length < Math.min(SPARES, this.#kills)) this.#spares.push(this.#make())
  }

  #make(): WorkerProcess {
    const name = `worker ${++this.#count}`
    const file = join(this.#dir, String(this.#count))
    const { url, addressMap } = this.#order
    const args = ['--import', LOADER, PROGRAM, url, file, addressMap === undefined ? '' : JSON.stringify(addressMap)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin!.on('error', () => {})
    const life = this.#ledger.worker(name)
    const ready = Promise.race([
      once(child.stdout!, 'data'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`${name} ended with ${code} before it was ready`)
      }),
    ])
    ready.catch(() => {})
    const made = { life, file, process: child, ready }
    this.#all.push(made)
    return made
  }

  async #send(worker: WorkerProcess): Promise<void> {
    await worker.ready
    const { namespace, leaseMs, shards } = this.#order
    worker.process.stdin!.write(`${namespace} ${leaseMs} ${shards}\n`)
    this.#working.push(worker)
  }

  #any(chance: Chance): WorkerProcess {
    return this.#working[chance.below(this.#working.length)] as WorkerProcess
  }

  /** kill -9 of one that works; another takes its place as soon as it can. */
  async kill(chance: Chance): Promise<void> {
    // Somebody must be left who can be killed.
    while (this.#working.length === 0) await Promise.race(this.#coming)
    const worker = this.#any(chance)
    this.#working.splice(this.#working.indexOf(worker), 1)
    worker.life.killedUs = nowMicros()
    await end(worker, 'SIGKILL')
    const coming = this.#send(this.#spares.shift() ?? this.#make()).finally(() => this.#coming.delete(coming))
    // Heard by `close`.
    coming.catch(() => {})
    this.#coming.add(coming)
    this.#kills--
    this.#prepare()
  }

  /** One that works stands still for so long, and goes on. */
  async freeze(chance: Chance, ms: number): Promise<void> {
    while (this.#working.length === 0) await Promise.race(this.#coming)
    const worker = this.#any(chance)
    const stop: [number, number] = [nowMicros(), Number.POSITIVE_INFINITY]
    worker.life.stops.push(stop)
    worker.process.kill('SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, ms))
    worker.process.kill('SIGCONT')
    stop[1] = nowMicros()
  }

  /** All end in order, within so long. */
  async close(withinMs: number): Promise<void> {
    await Promise.all(this.#coming)
    const late = setTimeout(() => {
      for (const { process: child } of this.#working) child.kill('SIGKILL')
    }, withinMs)
    for (const { process: child } of this.#working) child.stdin!.write('close\n')
    const codes = await Promise.all(this.#working.map(({ process: child }) => ended(child)))
    clearTimeout(late)
    const wrong = codes.findIndex((code) => code !== 0)
    if (wrong !== -1) throw new Error(`${this.#working[wrong]?.life.name} did not close within ${withinMs} ms`)
  }

  /** What they have written. */
  read(): void {
    for (const { life, file, process: child } of this.#all)
      if (child.exitCode !== null || child.signalCode !== null) this.#readOne(life, file)
  }

  #readOne(life: WorkerLife, file: string): void {
    try {
      this.#ledger.read(life.name, file)
    } catch (error) {
      // Killed before it had begun.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  /** Ends whatever still lives, and removes the files. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map((worker) => end(worker, 'SIGKILL')))
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

async function end({ process: child }: WorkerProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await ended(child)
}
