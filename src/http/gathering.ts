/** How long a body may take to come for others to wait for it. */
const LONGEST_MS = 30_000
/** How long a handler whose client has gone may take to answer the others. */
export const AFTER_CLOSE_MS = 5_000

/** The bytes of a body as they come, up to a bound: given as one when it has ended, or given up. */
export class Gathering {
  readonly #maxBytes: number
  readonly #whole: Promise<Buffer | undefined>
  #settle: (bytes: Buffer | undefined) => void = () => {}
  #chunks: Buffer[] = []
  #bytes = 0
  #settled = false
  #closed = false
  #firstCame: () => void = () => {}
  readonly #first: Promise<void>
  #timer: NodeJS.Timeout | undefined

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#whole = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#first = new Promise((resolve) => {
      this.#firstCame = resolve
    })
  }

  /** False once it has ended or was given up. */
  get isOpen(): boolean {
    return !this.#settled
  }

  add(chunk: Buffer): void {
    if (this.#settled) return
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) return this.giveUp()
    // A copy: its owner may write over it once it is sent.
    this.#chunks.push(Buffer.from(chunk))
    if (this.#closed) this.#giveUpAfter(AFTER_CLOSE_MS)
    this.#firstCame()
  }

  end(): void {
    if (!this.#settled) this.#finish(Buffer.concat(this.#chunks, this.#bytes))
  }

  giveUp(): void {
    if (!this.#settled) this.#finish(undefined)
  }

  /** The client has gone before the end. A handler that writes by itself may go on, with no longer pauses than this. */
  closed(): void {
    this.#closed = true
    this.#giveUpAfter(AFTER_CLOSE_MS)
  }

  #finish(bytes: Buffer | undefined): void {
    this.#settled = true
    this.#chunks = []
    clearTimeout(this.#timer)
    this.#firstCame()
    this.#settle(bytes)
  }

  #giveUpAfter(ms: number): void {
    if (this.#settled) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.giveUp(), ms)
    this.#timer.unref()
  }

  /** All of it once it has ended; undefined if it was given up. */
  whole(): Promise<Buffer | undefined> {
    if (!this.#settled && this.#timer === undefined) this.#giveUpAfter(LONGEST_MS)
    return this.#whole
  }

  /** All of it, if it ends in the turn in which it begins to come. */
  async atOnce(): Promise<Buffer | undefined> {
    await this.#first
    const turn = new Promise<undefined>((resolve) => setImmediate(resolve, undefined))
    return Promise.race([this.whole(), turn])
  }
}
