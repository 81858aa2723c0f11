import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../src/base/errors.ts'
import { OPERATIONS } from '../../src/telemetry/operations.ts'
import { isTest, librarySources, ROOT, read, repositoryFiles } from './sources.fixture.ts'

const run = promisify(execFile)
const pack = JSON.parse(read('package.json')) as {
  exports: Record<string, string | { types: string; default: string }>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional: boolean }>
}

const entries = Object.entries(pack.exports).filter(([name]) => name !== './package.json')

/** Doors of one room, each an entry of its own. */
const DOORS = ['./express', './fastify', './hono', './fetch']

test('has a source for each entry of the package, and builds types and code from it', () => {
  expect(entries.length).toBeGreaterThan(1)
  for (const [name, target] of entries) {
    const source = name === '.' ? 'index' : DOORS.includes(name) ? `http/${name.slice(2)}` : `${name.slice(2)}/index`
    expect(existsSync(join(ROOT, `src/${source}.ts`)), name).toBe(true)
    expect(target).toEqual({ types: `./dist/${source}.d.ts`, default: `./dist/${source}.js` })
  }
})

test('asks for what only some use where it is used, in the versions that are tested', () => {
  const { peerDependencies, peerDependenciesMeta, devDependencies } = pack
  expect(Object.keys(peerDependencies).sort()).toEqual([
    ...['@opentelemetry/api', 'express', 'fastify', 'hono', 'keyv', 'msgpackr'],
  ])
  for (const [name, range] of Object.entries(peerDependencies)) {
    expect(peerDependenciesMeta[name], name).toEqual({ optional: true })
    expect(range.split('.')[0], name).toBe(`^${devDependencies[name]?.split('.')[0]}`)
  }
})

test('has an entry for each room that has an index', () => {
  const rooms = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
    .filter((folder) => folder.isDirectory() && existsSync(join(ROOT, 'src', folder.name, 'index.ts')))
    .map((folder) => `./${folder.name}`)
  expect(
    entries
      .map(([name]) => name)
      .filter((name) => name !== '.' && !DOORS.includes(name))
      .sort(),
  ).toEqual(rooms.sort())
})

// @stricli/core: the command line alone, which the library's own entries never load. croner: calendars. tarn: who waits for a connection
// of his own.
test('asks a user to have ioredis, the pool of connections, calendars, what reads the command line, and nothing else', () => {
  expect(Object.keys(pack.dependencies)).toEqual(['@stricli/core', 'croner', 'ioredis', 'tarn'])
})

test('has a fresh table of errors', async () => {
  await run(process.execPath, [join(ROOT, 'scripts/build-errors.mjs'), '--check'])
})

test('has fresh tables of telemetry, and a row for every operation that reports', async () => {
  await run(process.execPath, [join(ROOT, 'scripts/build-telemetry.mjs'), '--check'])
  const reported = librarySources().flatMap((file) =>
    [...read(file).matchAll(/new Observed\('([\w.]+)'\)/g)].map((match) => match[1] as string),
  )
  expect(reported.length).toBeGreaterThan(30)
  expect(reported.toSorted()).toEqual(Object.keys(OPERATIONS).toSorted())
})

test('lists every code in the table of errors, and throws no other', () => {
  const table = read('docs/errors.md')
  for (const code of Object.keys(ERROR_CODES)) expect(table).toContain(`\`${code}\``)
  const thrown = librarySources().flatMap((file) =>
    [...read(file).matchAll(/(?:Error|super)\(\s*'([A-Z]+_[A-Z_]+)'/g)].map((match) => match[1] as string),
  )
  expect(thrown.length).toBeGreaterThan(5)
  expect(thrown.filter((code) => !(code in ERROR_CODES))).toEqual([])
})

test('states the kind of every error class, so that another copy of the package knows it', () => {
  const without = librarySources().filter((file) => {
    const text = read(file)
    const classes = [...text.matchAll(/class (\w+Error) extends \w*Error\b/g)].map((match) => match[1] as string)
    return classes.some(
      (name) => !text.includes(`static override readonly kind = '${name}'`) && name !== 'HoldfastError',
    )
  })
  expect(without).toEqual([])
})

test('lets the reference application use the package as anybody would', () => {
  const reach = repositoryFiles()
    .filter((file) => file.startsWith('apps/') && /\.tsx?$/.test(file) && !isTest(file))
    .filter((file) => /from '(\.\.\/)+src\//.test(read(file)))
  expect(reach).toEqual([])
})
