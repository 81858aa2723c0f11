import type { Readable } from 'node:stream'
import { run, type StricliDynamicCommandContext, type StricliProcess } from '@stricli/core'
import { buildApp } from './app.ts'
import type { Context } from './context.ts'
import { EXIT } from './exit.ts'
import { Interruption } from './interruption.ts'
import { askOn } from './terminal/question.ts'
import { type Streams, Terminal } from './terminal/terminal.ts'

/** What the program needs of a process. */
export interface Host extends Streams {
  readonly env: Readonly<Record<string, string | undefined>>
  exit(code: number): void
  /** Where answers to questions come from. Default nowhere. */
  readonly stdin?: Readable & { readonly isTTY?: boolean }
}

/** Runs one command line. answers the exit code; what went wrong stands on stderr */
export async function runCli(words: readonly string[], version: string, host: Host): Promise<number> {
  const interruption = new Interruption((code) => host.exit(code))
  // The parser's own switch: it follows no other.
  const env = isPlain(host.env) ? { ...host.env, STRICLI_NO_COLOR: '1' } : host.env
  const { stdin, stderr } = host
  let unwritten: Error | undefined
  const onUnwritten = (error: Error & { code?: string }) => {
    // A pipe that was closed, as by `head`, is no failure; but nobody is left to work for. Else the disk may be full.
    if (error.code === 'EPIPE') return interruption.interrupt(EXIT.interrupted)
    unwritten = error
    stderr.write(`The results could not be written: ${error.message}\n`)
    interruption.interrupt(EXIT.failed)
  }
  // What is said beside the results may be lost: a move of slots does not end for it.
  const onUnsaid = () => {}
  host.stdout.on?.('error', onUnwritten)
  stderr.on?.('error', onUnsaid)
  const stricliProcess: StricliProcess = {
    stdout: host.stdout,
    stderr: host.stderr,
    env: env as Record<string, string>,
  }
  const context: Context = {
    process: stricliProcess,
    env: host.env,
    interruption,
    ask: stdin?.isTTY && stderr.isTTY ? (question) => askOn(stdin, stderr, question) : undefined,
    terminal: ({ color }) => new Terminal(host, color && !isPlain(host.env)),
  }
  try {
    await run(buildApp(version), words, context as StricliDynamicCommandContext<Context>)
  } finally {
    interruption.close()
  }
  if (unwritten !== undefined) return EXIT.failed
  const code = Number(stricliProcess.exitCode ?? EXIT.ok)
  // Below zero are the parser's own: an unknown verb, an argument it cannot read.
  if (code >= 0) return code
  return code <= -4 ? EXIT.usage : EXIT.failed
}

/** https://no-color.org */
const isPlain = (env: Host['env']): boolean => (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
