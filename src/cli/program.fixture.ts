import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { runCli } from './run.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const VERSION = '1.2.3'

/** The program as a process of its own, from the sources. */
export function start(words: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const runner = ['--import', join(ROOT, 'scripts/typescript.mjs'), join(ROOT, 'src/cli/main.ts')]
  const { REDIS_URL: _url, ...own } = process.env
  return spawn(process.execPath, [...runner, ...words], { env: { ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
}

export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Everything that a started program says, and how it ends. */
export async function outcome(child: ChildProcess): Promise<Outcome> {
  const said = { out: '', err: '' }
  child.stdout?.on('data', (chunk) => (said.out += chunk))
  child.stderr?.on('data', (chunk) => (said.err += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said }
}

/**
 * The same in this process, where it need not be one of its own: that takes a second to load the sources.
 *
 * typed  what is typed at a terminal; without it, there is none
 */
export async function holdfast(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  typed?: string,
): Promise<Outcome> {
  const said = { out: '', err: '' }
  const isTTY = typed !== undefined
  const stdout = { write: (text: string) => (said.out += text) }
  const stderr = { write: (text: string) => (said.err += text), isTTY }
  const exit = (code: number) => expect.unreachable(`exit(${code})`)
  const input = isTTY ? { stdin: Object.assign(Readable.from(typed === '' ? [] : [typed]), { isTTY }) } : {}
  const code = await runCli(words, VERSION, { stdout, stderr, env, exit, ...input })
  return { code, ...said }
}
