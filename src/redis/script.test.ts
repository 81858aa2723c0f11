import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import type { Key } from './keyspace.ts'
import { Redis } from './redis.ts'
import { defineScript, type ScriptSource } from './script.ts'
import { resolveSettings } from './settings.ts'

const OPTIONS = { operation: 'test.script', repeat: false }
let server: TestServer
let redis: Redis

beforeAll(async () => {
  server = await startServer()
  redis = new Redis(resolveSettings(server.url, { namespace: 'script' }))
})

afterAll(async () => {
  await redis.close()
  await server.stop()
})

type Fields = ScriptSource['replies']

const define = <Keys, Args, Result extends readonly unknown[]>(
  lua: string,
  replies: Fields,
  keys: readonly string[] = [],
  args: readonly string[] = [],
) =>
  defineScript<Keys, Args, Result>({
    name: 'test/script',
    sha: createHash('sha1').update(lua).digest('hex'),
    flags: [],
    keys,
    args,
    replies,
    lua,
  })

const key = (name: string): Key => redis.keyspace.entity('test', name)

test('gives each key and argument its place, and any number of a last one', async () => {
  const script = define<
    { a: Key; rest: readonly Key[] },
    { n: number; words: readonly string[] },
    ['all', ...string[]]
  >(
    "local all = {'all'} for _, v in ipairs(KEYS) do all[#all + 1] = v end for _, v in ipairs(ARGV) do all[#all + 1] = v end return all",
    { all: ['text…'] },
    ['a', 'rest…'],
    ['n', 'words…'],
  )
  const run = (rest: readonly Key[], words: readonly string[]) =>
    script.run(redis, { a: key('a'), rest }, { n: 5, words }, OPTIONS)
  expect(await run([key('b'), key('c')], ['x', 'y'])).toEqual(['all', key('a'), key('b'), key('c'), '5', 'x', 'y'])
  expect(await run([], [])).toEqual(['all', key('a'), '5'])
})

test('gives text as text, numbers as numbers and bytes as bytes, each where the contract says so', async () => {
  const bytes = Buffer.from([0, 1, 254, 255])
  const script = define<Record<never, never>, { bytes: Buffer }, ['found', Buffer, number, string | null] | ['none']>(
    "return {'found', ARGV[1], 7, 'é'}",
    { found: ['bytes', 'int', 'text'], none: [] },
    [],
    ['bytes'],
  )
  expect(await script.run(redis, {}, { bytes }, OPTIONS)).toEqual(['found', bytes, 7, 'é'])
  const text = define<Record<never, never>, Record<never, never>, ['a', string]>("return {'a', 'é'}", { a: ['text'] })
  expect(await text.run(redis, {}, {}, OPTIONS)).toEqual(['a', 'é'])
})

test('refuses a word that it does not know: another version shares the namespace', async () => {
  for (const lua of [
    "return {'strange'}",
    'return 1',
    "return redis.status_reply('OK')",
    'return {}',
    'return false',
  ]) {
    const script = define(lua, { known: [] })
    await expect(script.run(redis, {}, {}, OPTIONS)).rejects.toMatchObject({
      code: 'REPLY_UNKNOWN',
      operation: 'test.script',
    })
  }
})

test('is learned by the server with the call that needs it, after a flush and after a restart too', async () => {
  const script = define<{ n: Key }, Record<never, never>, ['is', number]>(
    "return {'is', redis.call('INCR', KEYS[1])}",
    { is: ['int'] },
    ['n'],
  )
  const run = () => script.run(redis, { n: key('n') }, {}, OPTIONS)
  expect(await run()).toEqual(['is', 1])
  await server.command('SCRIPT', 'FLUSH')
  expect(await run()).toEqual(['is', 2])
  expect(await server.command('SCRIPT', 'EXISTS', script.source.sha)).toEqual([1])
  await server.restart({ empty: true })
  expect(await run()).toEqual(['is', 1])
})

test('is sent as its hash alone once the server knows it', async () => {
  const script = define("return {'done'}", { done: [] })
  await script.run(redis, {}, {}, OPTIONS)
  await server.command('CONFIG', 'RESETSTAT')
  await Promise.all(Array.from({ length: 20 }, () => script.run(redis, {}, {}, OPTIONS)))
  const stats = await server.command<string>('INFO', 'commandstats')
  expect(stats).toMatch(/cmdstat_evalsha:calls=20,/)
  expect(stats).not.toContain('cmdstat_eval:')
})

test("passes the server's own error on as a typed one", async () => {
  const script = define("return redis.error_reply('OUCH it hurts')", { done: [] })
  await expect(script.run(redis, {}, {}, OPTIONS)).rejects.toMatchObject({ code: 'SERVER_ERROR', reply: 'OUCH' })
})
