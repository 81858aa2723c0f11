import { EXIT, Interrupted } from './exit.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Ctrl-C. A verb that must not be left in the middle asks for the signal and ends by itself at the next good moment; any other is
 * ended at once, and so is that one at the second Ctrl-C.
 */
export class Interruption {
  readonly #controller = new AbortController()
  readonly #exit: (code: number) => void
  readonly #listener = () => this.interrupt(EXIT.interrupted)
  #isHandled = false

  constructor(exit: (code: number) => void) {
    this.#exit = exit
    for (const signal of SIGNALS) process.on(signal, this.#listener)
  }

  /** As a signal does: also where nobody reads the results any more. `code`: what the program ends with if it ends at once. */
  interrupt(code: number): void {
    if (!this.#isHandled || this.#controller.signal.aborted) return this.#exit(code)
    this.#controller.abort(new Interrupted())
  }

  /** From now on the first signal is the verb's own affair. */
  handle(): AbortSignal {
    this.#isHandled = true
    return this.#controller.signal
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener)
  }
}
