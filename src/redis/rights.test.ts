import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { Keyspace } from './keyspace.ts'
import { Redis } from './redis.ts'
import { aclRule, missingRights, type Rights } from './rights.ts'
import { resolveSettings } from './settings.ts'

// Names with letters that mean something to a pattern, to a replacement and to a URL.
const space = new Keyspace('app $& %c 1')
const KEY = space.entity('cache', 'p', '1')
const CHANNEL = space.channel('cache', 'p', 'filled')
const RIGHTS: Rights = {
  commands: ['GET', 'SET', 'MGET', 'SCAN', 'PUBLISH', 'EVAL', 'EVALSHA', 'CLIENT|TRACKING', 'SUBSCRIBE', 'TIME'],
  keys: [`{${space.stem('cache')}*`],
  channels: [`${space.channel('cache')}:*`],
}

let server: TestServer

beforeAll(async () => {
  server = await startServer({ users: { default: 'on nopass ~* &* +@all' } })
})

afterAll(() => server.stop())

async function missing(rules: string): Promise<readonly string[] | undefined> {
  await server.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', ...rules.split(' '))
  const redis = new Redis(resolveSettings(server.url.replace('//', '//app:pw@'), { timeout: 200 }))
  try {
    return await missingRights(redis, RIGHTS, KEY, CHANNEL)
  } finally {
    await redis.close()
  }
}

test('misses nothing with exactly the rule that it prints', async () => {
  expect(await missing(aclRule(RIGHTS))).toEqual([])
})

test('writes the rule as the server reads it', () => {
  expect(aclRule({ commands: ['GET', 'CLIENT TRACKING', 'client|id'], keys: ['{a:*'], channels: ['a:*'] })).toBe(
    '~{a:* &a:* +get +client|tracking +client|id',
  )
})

test('names each command that the user lacks', async () => {
  const rule = aclRule(RIGHTS)
  for (const command of RIGHTS.commands.filter((one) => one !== 'EVAL'))
    expect(await missing(`${rule} -${command.toLowerCase()}`)).toEqual([command])
})

test('names the commands that may not touch the keys or the channel', async () => {
  const commands = RIGHTS.commands.map((command) => `+${command.toLowerCase()}`).join(' ')
  expect(await missing(`~{other:* &* ${commands}`)).toEqual(['GET', 'SET', 'MGET'])
  expect(await missing(`~* resetchannels &other:* ${commands}`)).toEqual(['PUBLISH'])
  expect(await missing(`%R~* &* ${commands}`)).toEqual(['SET'])
})

test('says that it may not even ask', async () => {
  expect(await missing('~* &* +@all -eval')).toEqual(['EVAL'])
})

test('does not know when the server is away', async () => {
  await using gone = await startServer()
  const redis = new Redis(resolveSettings(gone.url, { timeout: 100 }))
  await gone.kill()
  expect(await missingRights(redis, RIGHTS, KEY, CHANNEL)).toBeUndefined()
  await redis.close()
})
