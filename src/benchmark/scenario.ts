import type { Holdfast } from '../holdfast.ts'
import type { RawClient } from './raw.ts'

/** What a scenario is made on. */
export interface Ground {
  readonly hf: Holdfast
  readonly raw: RawClient
  /** No two turns under way have the same remainder by it: so each may have a lock, a row or a value to itself. */
  readonly lanes: number
}

/** One operation: `turn` counts up over all callers. Throws for an answer that is not the expected one. */
export type Operation = (turn: number) => Promise<unknown>

export interface Scenario {
  readonly id: string
  /** What one operation is. */
  readonly title: string
  /** What the client alone does in its place. */
  readonly floor: string
  /** Makes what is needed, unmeasured. */
  prepare(ground: Ground): Promise<{ readonly own: Operation; readonly raw: Operation }>
}

export function expectAnswer(what: string, isRight: boolean): void {
  if (!isRight) throw new Error(`${what}: the answer is not the expected one`)
}
