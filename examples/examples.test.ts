import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it, vi } from 'vitest'

// A second or two each; on a machine that is busy otherwise, many.
vi.setConfig({ testTimeout: 120_000 })

const LOADER = new URL('../scripts/typescript.mjs', import.meta.url).href
const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What the example prints, from the sources of the package, and times left out. */
async function outputOf(program: string): Promise<string> {
  const { REDIS_URL: _, ...env } = process.env
  const child = spawn(process.execPath, ['--import', LOADER, fileOf(program)], { env })
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
  return withoutTimes(out)
}

/** The output that the README of the example shows. */
function shown(readme: string): string {
  return withoutTimes(/```text\n([\s\S]*?)```/.exec(readFileSync(fileOf(readme), 'utf8'))?.[1] ?? '')
}

/** How long it took, and who came first, differ from run to run. */
function withoutTimes(text: string): string {
  return text
    .replace(/ *\d+ ms/g, ' … ms')
    .replace(/\d+ visitors joined one, \d+ hits/, '… visitors joined one, … hits')
    .trim()
}

it.concurrent('cache-aside does every step of the exercise, and prints what its README shows', async () => {
  expect(await outputOf('cache-aside/exercise.mjs')).toBe(shown('cache-aside/README.md'))
})

it.concurrent('express-sql asks the database once for a crowd, and prints what its README shows', async () => {
  expect(await outputOf('express-sql/visits.mjs')).toBe(shown('express-sql/README.md'))
})
