// The house of ARCHITECTURE.md, held as a test.
import { basename, dirname } from 'node:path'
import { expect, test } from 'vitest'
import { importsOf, isGenerated, librarySources, read, repositoryFiles } from './sources.fixture.ts'

const CAPABILITIES = [
  ...['cache', 'lock', 'queue', 'log', 'limit', 'session'],
  ...['value', 'analytics', 'monitor', 'seats', 'geo'],
]

/** From the ground up. A room may import those of lower floors. */
const FLOORS: readonly (readonly string[])[] = [
  ['base'],
  ['redis', 'loop'],
  ['lease', 'stream', 'breaker', 'telemetry'],
  ['dirty'],
  CAPABILITIES,
  ['holdfast.ts'],
  ['http', 'keyv', 'ops', 'otel', 'prometheus'],
  ['trial'],
  ['verify', 'benchmark'],
  ['cli', 'console'],
  ['index.ts'],
]

/** Stands aside: for users' tests, it must not depend on what it tests. The command line starts servers by it. */
const ASIDE = 'testing'

const roomOf = (file: string): string => file.split('/')[1] as string
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room))

const sources = librarySources()
const arrows = sources.flatMap((from) => importsOf(from).map((to) => ({ from, to })))
const inside = arrows.filter(({ to }) => to.startsWith('src/'))
const across = inside.filter(({ from, to }) => roomOf(from) !== roomOf(to))
const shown = ({ from, to }: { from: string; to: string }) => `${from} -> ${to}`

test('looks at something', () => {
  expect(sources.length).toBeGreaterThan(30)
  expect(across.length).toBeGreaterThan(30)
})

test('has only rooms of the plan', () => {
  const rooms = new Set(sources.map(roomOf))
  expect([...rooms].filter((room) => room !== ASIDE && floorOf(room) < 0)).toEqual([])
})

test('lets arrows point down only, types included; the root may show what is above and below', () => {
  const wrong = across.filter(({ from, to }) => {
    if (roomOf(from) === ASIDE) return roomOf(to) !== 'base'
    if (roomOf(to) === ASIDE) return roomOf(from) !== 'cli'
    return floorOf(roomOf(to)) >= floorOf(roomOf(from))
  })
  expect(wrong.map(shown)).toEqual([])
})

test('lets nobody import from outside the sources', () => {
  const outside = arrows.filter(
    ({ to }) => to.startsWith('..') || /^(apps|test|bench|scripts|examples|dist)\//.test(to),
  )
  expect(outside.map(shown)).toEqual([])
})

test("shows a capability's inside to the façade alone", () => {
  const wrong = across.filter(
    ({ from, to }) =>
      CAPABILITIES.includes(roomOf(to)) &&
      basename(to) !== 'index.ts' &&
      !['src/holdfast.ts', 'src/index.ts'].includes(from) &&
      !(['cli', 'console', 'ops'].includes(roomOf(from)) && basename(to) === 'inspect.ts'),
  )
  expect(wrong.map(shown)).toEqual([])
})

test('lets only the façade, the roots, the doors of HTTP and the command line import an index', () => {
  const wrong = inside.filter(
    ({ from, to }) =>
      basename(to) === 'index.ts' &&
      !['src/holdfast.ts', 'src/index.ts', 'src/ops/index.ts'].includes(from) &&
      !['cli', 'http'].includes(roomOf(from)),
  )
  expect(wrong.map(shown)).toEqual([])
})

test('writes no code into an index', () => {
  const wrong = sources
    .filter((file) => basename(file) === 'index.ts')
    .filter((file) => /^\s*(import|const|let|function|class|export (const|function|class|default))\b/m.test(read(file)))
  expect(wrong).toEqual([])
})

test('names ioredis in one file', () => {
  expect([...new Set(arrows.filter(({ to }) => /^ioredis/.test(to)).map(({ from }) => from))]).toEqual([
    'src/redis/ioredis.ts',
  ])
})

test('needs no package but ioredis, croner and tarn, and on the command line what reads it', () => {
  const packages = (isWanted: (room: string) => boolean) => {
    const wanted = arrows.filter(({ from, to }) => isWanted(roomOf(from)) && !/^(src\/|node:)/.test(to))
    return [...new Set(wanted.map(({ to }) => to))].sort()
  }
  expect(packages((room) => room !== 'cli' && room !== 'http' && room !== 'otel')).toEqual([
    'croner',
    'ioredis',
    'tarn',
  ])
  expect(packages((room) => room === 'cli')).toEqual(['@stricli/core'])
  expect(packages((room) => room === 'otel')).toEqual(['@opentelemetry/api'])
  for (const { from, to } of arrows.filter(({ to }) => to === '@opentelemetry/api'))
    expect(read(from), to).toMatch(
      /^import type .* from '@opentelemetry\/api'$|typeof import\('@opentelemetry\/api'\)/m,
    )
})

test('names the frameworks in their doors alone, and there by types only', () => {
  const named = arrows.filter(({ from, to }) => roomOf(from) === 'http' && !/^(src\/|node:)/.test(to))
  for (const { from, to } of named) {
    expect(basename(from), to).toBe(`${to}.ts`)
    expect(read(from)).toMatch(new RegExp(`^import type .* from '${to}'$`, 'm'))
  }
  expect([...new Set(named.map(({ to }) => to))].sort()).toEqual(['express', 'fastify', 'hono'])
})

test('imports its own files with their extension, and every one of them is there', () => {
  const there = new Set(repositoryFiles())
  expect(inside.filter(({ to }) => !there.has(to)).map(shown)).toEqual([])
})

test('has no circle', () => {
  const next = new Map(sources.map((file) => [file, [] as string[]]))
  for (const { from, to } of inside) next.get(from)?.push(to)
  const state = new Map<string, 'open' | 'done'>()
  const circles: string[] = []
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') return void circles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
    state.set(file, 'open')
    for (const to of next.get(file) ?? []) visit(to, [...path, file])
    state.set(file, 'done')
  }
  for (const file of sources) visit(file, [])
  expect(circles).toEqual([])
})

test('has no folder for what has no name', () => {
  const banned = new Set(['utils', 'util', 'helpers', 'common', 'misc', 'types', 'interfaces', 'shared', 'lib'])
  const folders = new Set(
    repositoryFiles().flatMap((file) =>
      dirname(file)
        .split('/')
        .map((_, i, all) => all.slice(0, i + 1).join('/')),
    ),
  )
  // What the plan itself calls so: tests of types.
  expect([...folders].filter((folder) => banned.has(basename(folder)) && folder !== 'test/types')).toEqual([])
})

test('names files and folders in kebab-case', () => {
  const wrong = repositoryFiles().filter(
    (file) => /^(src|test|bench|scripts)\//.test(file) && !/^[a-z0-9./_-]+$/.test(file),
  )
  expect(wrong).toEqual([])
})

const MOST_LINES = 400
const LONG = 'test/house/long-files.md'

test('keeps files short, or says why one is not', () => {
  const code = repositoryFiles().filter((file) => /\.(ts|tsx|mjs|js|lua)$/.test(file) && !isGenerated(file))
  const long = code.filter((file) => read(file).trimEnd().split('\n').length > MOST_LINES)
  const listed = [...read(LONG).matchAll(/^\| `([^`]+)` \| (.{20,}) \|$/gm)].map((match) => match[1] as string)
  expect(long.filter((file) => !listed.includes(file))).toEqual([])
  expect(listed.filter((file) => !long.includes(file))).toEqual([])
})
