import { readFileSync } from 'node:fs'
import type { ChaosJob } from './jobs.ts'

/** By the clock that all processes of a machine share, in µs. */
export const nowMicros = (): number => Number(process.hrtime.bigint() / 1_000n)

/** What became of adding a job. */
export interface Added {
  readonly job: ChaosJob
  /** When the server's word came; undefined where it never did, so that the job may exist or not. */
  ackedUs: number | undefined
  /** It was sent more than once by its producer, which did not know: where it has no id, that may be two jobs. */
  isRepeated: boolean
  /** Every replica had it when its producer went on. */
  isFirm: boolean
}

/** One delivery of a job to a worker. */
export interface Run {
  readonly worker: string
  readonly fence: bigint
  readonly beganUs: number
  endedUs?: number
  failedUs?: number
  lostUs?: number
  /** When its taker asked the server to end it, and what came of that. */
  askedUs?: number
  accepted?: boolean
}

/** One process that works, from its start to its end. */
export interface WorkerLife {
  readonly name: string
  /** When it was killed, if it was. */
  killedUs?: number
  /** When it stood still: from, to. */
  readonly stops: [number, number][]
  /** Ends that it was told do not count, by when it noticed. */
  readonly refusals: { readonly us: number; readonly total: number }[]
}

/** A moment of which the server may have forgotten what it acknowledged. */
export interface Loss {
  readonly cause: string
  readonly fromUs: number
  readonly toUs: number
}

/** All that is known outside of Redis of what was promised and of what was done. */
export class Ledger {
  readonly added = new Map<string, Added>()
  readonly runs = new Map<string, Run[]>()
  readonly workers = new Map<string, WorkerLife>()
  readonly losses: Loss[] = []
  readonly startUs = nowMicros()

  add(job: ChaosJob): Added {
    const added: Added = { job, ackedUs: undefined, isRepeated: false, isFirm: false }
    this.added.set(job.key, added)
    return added
  }

  worker(name: string): WorkerLife {
    const known = this.workers.get(name)
    if (known !== undefined) return known
    const life: WorkerLife = { name, stops: [], refusals: [] }
    this.workers.set(name, life)
    return life
  }

  /** What a worker process has written. A last line that it was killed in the middle of says nothing. */
  read(name: string, file: string): void {
    for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) this.hear(name, line)
  }

  hear(name: string, line: string): void {
    const [verb, key = '', fenceText = '', usText = ''] = line.split(' ')
    const us = Number(usText)
    if (verb === 'stats') return void this.worker(name).refusals.push({ us, total: Number(key) })
    const fence = BigInt(fenceText)
    const runs = this.runs.get(key) ?? []
    this.runs.set(key, runs)
    let run = runs.find((one) => one.worker === name && one.fence === fence)
    if (run === undefined) {
      run = { worker: name, fence, beganUs: us }
      runs.push(run)
    }
    if (verb === 'ended') run.endedUs = us
    else if (verb === 'failed') run.failedUs = us
    else if (verb === 'lost') run.lostUs = us
    else if (verb === 'asked') run.askedUs = us
    else if (verb === 'accepted') run.accepted = true
    else if (verb === 'refused') run.accepted = false
  }
}
