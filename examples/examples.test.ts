import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startServer, type TestServer } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'

// A second or two each, and a build where the sources are newer; on a machine that is busy otherwise, many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000, maxConcurrency: 3 })

interface Example {
  readonly name: string
  readonly file: string
}

const textOf = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8')
// Plain JavaScript, as the examples are.
const plain = (path: string) => import(new URL(path, import.meta.url).href)
const examples: Example[] = (await plain('./stage/examples.mjs')).findExamples()

/** By name of the example, the line of its output that README.md shows. */
const KEY_LINES = new Map(
  [...textOf('./README.md').matchAll(/^\| \[([\w-]+)\]\([^)]+\) \|.*\| `([^`]+)` \|$/gm)].map(([, name, line]) => [
    name as string,
    line as string,
  ]),
)

let server: TestServer

beforeAll(async () => {
  // As a user runs them, on what is built: from the sources each would take twice as long to start.
  await (await plain('../scripts/setup/build.mjs')).ensureBuild(['library'])
  server = await startServer()
})
afterAll(() => server.stop())

/** What the example prints, on the server that all of them share. */
async function outputOf(program: string): Promise<string> {
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, REDIS_URL: server.url },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  const [code] = await once(child, 'close')
  expect([code, err]).toEqual([0, ''])
  return out
}

/** How long it took, who came first, and how often a stale answer was tried to be made anew meanwhile, differ from run to run. */
function withoutTimes(text: string): string {
  return text
    .replace(/ *\d+ ms/g, ' … ms')
    .replace(/(: stale +100 × 200 +)\d+ quer(y|ies)/, '$1…')
    .replace(/\d+ loads, \d+ of them failed; \d+ visitors joined one, \d+ hits/, '…')
    .trim()
}

it('is shown in the table of README.md, each of them and no other', () => {
  expect([...KEY_LINES.keys()].sort()).toEqual(examples.map(({ name }) => name))
})

// Once more: on a machine that stands still for a second the deadline of a call passes, as it is to.
for (const { name, file } of examples)
  it.concurrent(`${name} holds what it claims, prints what is shown of it, and leaves no key behind`, {
    retry: 1,
  }, async () => {
    const output = await outputOf(file)
    expect(output).toContain(KEY_LINES.get(name))
    expect(await server.command('KEYS', `*{example-${name}:*`)).toEqual([])
    const own = new URL(`./${name}/README.md`, import.meta.url)
    const shown = existsSync(own) ? /```text\n([\s\S]*?)```/.exec(readFileSync(own, 'utf8'))?.[1] : undefined
    if (shown !== undefined) expect(withoutTimes(output)).toBe(withoutTimes(shown))
  })

it('leaves nothing behind outside of its namespace either', async () => {
  expect(await server.command('DBSIZE')).toBe(0)
})
