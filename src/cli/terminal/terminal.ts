import { short } from './figures.ts'
import { type Paint, painted, plain } from './paint.ts'

interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  /** Letters of a line, of a terminal. */
  readonly columns?: number | undefined
  on?(event: 'error', listener: (error: Error) => void): unknown
}

export interface Streams {
  readonly stdout: Stream
  readonly stderr: Stream
}

/** Where lines cannot be rewritten, progress is told once in so long. */
const QUIET_MS = 1_000

/** Data goes to stdout; everything else to stderr, so that a pipe gets data alone. */
export class Terminal {
  readonly #streams: Streams
  readonly #hasColour: boolean
  #isOpen = false
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(streams: Streams, hasColour: boolean) {
    this.#streams = streams
    this.#hasColour = hasColour
  }

  /** Colours for stdout: on a terminal only. */
  get paint(): Paint {
    return this.#hasColour && this.#streams.stdout.isTTY ? painted : plain
  }

  data(text: string): void {
    this.#endLine()
    this.#streams.stdout.write(`${text}\n`)
  }

  json(value: unknown): void {
    this.data(JSON.stringify(value))
  }

  note(text: string): void {
    this.#endLine()
    this.#streams.stderr.write(`${text}\n`)
  }

  /** A line about work under way: rewritten on a terminal, else told now and then, and always when `isLast`. */
  progress(text: string, isLast = false): void {
    const { stderr } = this.#streams
    if (stderr.isTTY) {
      // To the line's start, and the old text away; what goes on in the next line would stay there.
      stderr.write(`\r\u001B[2K${stderr.columns === undefined ? text : short(text, stderr.columns - 1)}`)
      this.#isOpen = true
      if (isLast) this.#endLine()
      return
    }
    const nowMs = performance.now()
    if (!isLast && nowMs - this.#toldMs < QUIET_MS) return
    this.#toldMs = nowMs
    stderr.write(`${text}\n`)
  }

  #endLine(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#streams.stderr.write('\n')
  }
}
