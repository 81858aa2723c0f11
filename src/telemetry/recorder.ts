import { Histogram } from '../base/histogram.ts'
import { listen } from './listen.ts'
import { outcomeOf } from './operations.ts'

/** How often and how long, of one operation. */
export interface OperationFigures {
  readonly outcomes: ReadonlyMap<string, number>
  /** In ms. */
  readonly times: Histogram
}

/** Outcomes of one operation that are told apart: a word of a handler's own must not make series without end. */
const MOST_OUTCOMES = 20

/** Counts every operation of this process, from when it is made until `stop()`. */
export class Recorder {
  readonly #operations = new Map<string, { readonly outcomes: Map<string, number>; readonly times: Histogram }>()
  readonly stop: () => void

  constructor() {
    this.stop = listen({
      ended: (name, operation, ms) => {
        let figures = this.#operations.get(name)
        if (figures === undefined) {
          figures = { outcomes: new Map(), times: new Histogram() }
          this.#operations.set(name, figures)
        }
        figures.times.record(ms)
        const { outcomes } = figures
        const told = outcomeOf(operation)
        const outcome = outcomes.has(told) || outcomes.size < MOST_OUTCOMES ? told : 'other'
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      },
    })
  }

  get operations(): ReadonlyMap<string, OperationFigures> {
    return this.#operations
  }
}
