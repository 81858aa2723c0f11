import type { CommandContext, StricliProcess } from '@stricli/core'
import type { Interruption } from './interruption.ts'
import type { Terminal } from './terminal/terminal.ts'

/** What every verb is given as `this`. */
export interface Context extends CommandContext {
  readonly process: StricliProcess
  readonly env: Readonly<Record<string, string | undefined>>
  /** The terminal, with colours or without. */
  terminal(flags: { readonly color: boolean }): Terminal
  readonly interruption: Interruption
  /** Asks who sits at the terminal; undefined where nobody does. */
  readonly ask: ((question: string) => Promise<string>) | undefined
}
