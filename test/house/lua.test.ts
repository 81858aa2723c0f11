import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ScriptSource } from '../../src/redis/script.ts'
import { startServer, type TestServer } from '../../src/testing/index.ts'
import { ROOT, read, repositoryFiles } from './sources.fixture.ts'

/** What only gives back, settles or makes smaller: a full server must not refuse it. */
const FREEING = [
  ...['release', 'renew', 'extend', 'confirm', 'settle', 'complete', 'fail', 'cancel', 'finish', 'ack'],
  ...['delete', 'remove', 'destroy', 'revoke', 'clear', 'purge', 'sweep', 'expire', 'rescue', 'refund'],
  ...['invalidate', 'void', 'pause', 'resume', 'end', 'trim'],
]
/** What only looks. */
const READING = ['read', 'get', 'peek', 'map', 'counts', 'changes', 'list', 'inspect', 'stats', 'verify', 'find']

const startsWithVerb = (verbs: readonly string[], name: string) =>
  verbs.some((verb) => name === verb || name.startsWith(`${verb}-`))

const files = repositoryFiles().filter((file) => /^src\/[a-z]+\/lua\/[a-z-]+\.lua$/.test(file))
const rooms = [...new Set(files.map((file) => file.split('/')[1] as string))]
const scripts: ScriptSource[] = []
let server: TestServer

beforeAll(async () => {
  server = await startServer()
  for (const room of rooms) {
    const bindings = (await import(join(ROOT, 'src', room, 'lua.generated.ts'))) as Record<
      string,
      { source?: ScriptSource }
    >
    for (const { source } of Object.values(bindings)) if (source !== undefined) scripts.push(source)
  }
})

afterAll(() => server.stop())

test('has a fresh binding of every script', async () => {
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/build-lua.mjs'), '--check'])
  expect(scripts.map(({ name }) => name).sort()).toEqual(
    files.map((file) => `${file.split('/')[1]}/${basename(file, '.lua')}`).sort(),
  )
})

test('has scripts that a real server takes, each known by its hash', async () => {
  for (const { name, lua, sha } of scripts) {
    expect(createHash('sha1').update(lua).digest('hex'), name).toBe(sha)
    expect(await server.command('SCRIPT', 'LOAD', lua), name).toBe(sha)
  }
})

test('lets a full server free and settle, and reads without a right to write', () => {
  const flagsOf = (verbs: readonly string[]) =>
    scripts.filter(({ name }) => startsWithVerb(verbs, name.split('/')[1] as string))
  const mustFree = flagsOf(FREEING)
  const mustRead = flagsOf(READING)
  expect(mustFree.length + mustRead.length).toBeGreaterThan(5)
  expect(mustFree.filter(({ flags }) => !flags.includes('allow-oom')).map(({ name }) => name)).toEqual([])
  expect(mustRead.filter(({ flags }) => !flags.includes('no-writes')).map(({ name }) => name)).toEqual([])
})

test('lets no script that only looks call what writes', () => {
  const WRITES = /'(SET|DEL|UNLINK|HSET|HDEL|ZADD|ZREM|XADD|INCR|PEXPIRE|EXPIRE|PUBLISH|SETRANGE|APPEND|L?R?PUSH)'/
  const wrong = scripts.filter(({ flags, lua }) => flags.includes('no-writes') && WRITES.test(lua))
  expect(wrong.map(({ name }) => name)).toEqual([])
})

test('names every key in KEYS, takes time from the server and chance from the caller', () => {
  for (const { name, lua } of scripts) {
    // A key spelt in the script is one that a Cluster cannot place. These name what they do before the key.
    expect(lua, name).not.toMatch(/call\('(?!XGROUP'|XINFO'|XREADGROUP')[A-Z]+',\s*['"]/)
    expect(lua, name).not.toMatch(/math\.random|os\.time|os\.clock|redis\.replicate_commands/)
  }
})

test('publishes last: nobody is told of what is not yet so', () => {
  // Where functions stand between, the order of lines is not the order of calls; their own tests look at the effect.
  for (const { name, lua } of scripts.filter(({ lua }) => lua.includes("'PUBLISH'") && !lua.includes('function'))) {
    const after = lua.slice(lua.lastIndexOf("'PUBLISH'"))
    expect(after, name).not.toMatch(/call\('(SET|DEL|HSET|ZADD|XADD|SETRANGE)'/)
  }
})

test('keeps scripts short enough to read', () => {
  const folders = rooms.flatMap((room) =>
    readdirSync(join(ROOT, 'src', room, 'lua')).map((file) => `src/${room}/lua/${file}`),
  )
  const long = folders.filter((file) => file.endsWith('.lua') && read(file).split('\n').length > 200)
  expect(long).toEqual([])
})
