import { channel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { House } from './house.fixture.ts'
import * as scripts from './lua.generated.ts'
import type { SessionsOptions } from './options.ts'

const house = new House()

describe('options', () => {
  it('are refused at once when they are wrong, by name', async () => {
    const hf = await house.connect()
    const wrong: [string, object][] = [
      ['idle', { idle: 'soon' }],
      ['idle', { idle: 0 }],
      ['absolute', { absolute: '1m' }],
      ['absolute', { idle: '8d' }],
      ['overlap', { overlap: '2h' }],
      ['overlap', { overlap: -1 }],
      ['maxBytes', { maxBytes: 63 }],
      ['name', { name: 5 }],
      ['ttl', { ttl: '1h' }],
    ]
    for (const [option, options] of wrong)
      expect(() => hf.sessions(options as SessionsOptions), option).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', option }),
      )
    expect(hf.sessions().options).toMatchObject({ idleMs: 1_800_000, absoluteMs: 604_800_000, overlapMs: 10_000 })
  })

  it('of calls too, before anything is sent', async () => {
    const sessions = (await house.connect()).sessions()
    const refused = (option: string) => ({ code: 'CONFIG_INVALID', option })
    await expect(sessions.create(null as never)).rejects.toMatchObject(refused('data'))
    await expect(sessions.create([] as never)).rejects.toMatchObject(refused('data'))
    await expect(sessions.create({}, { userId: '' })).rejects.toMatchObject(refused('userId'))
    await expect(sessions.create({}, { userId: 'x'.repeat(513) })).rejects.toMatchObject(refused('userId'))
    await expect(sessions.create({}, { userId: '\ud800' })).rejects.toMatchObject(refused('userId'))
    await expect(sessions.create({}, { label: 'x'.repeat(257) })).rejects.toMatchObject(refused('label'))
    await expect(sessions.create({}, { user: 'x' } as never)).rejects.toMatchObject(refused('user'))
    await expect(sessions.regenerate('x', { overlap: 'x' } as never)).rejects.toMatchObject(refused('overlap'))
    await expect(sessions.listFor(5 as never)).rejects.toMatchObject(refused('userId'))
    await expect(sessions.revokeAll('u', { except: 'x' })).rejects.toMatchObject(refused('except'))
    expect(await house.keys()).toEqual([])
  })

  it('never shows an id in an error', async () => {
    const sessions = (await house.connect()).sessions({ maxBytes: 64 })
    const { id } = await sessions.create({})
    const errors = [
      await sessions.revokeAll('u', { except: `${id}x` }).catch(String),
      await sessions.createAs(`${id}x`, {}).catch(String),
      await sessions.update(id, { a: 'x'.repeat(100) }).catch(String),
    ]
    for (const error of errors) expect(error).not.toContain(id.slice(16))
    expect(errors.join()).toContain('Error')
  })
})

describe('what is usually got wrong', () => {
  const NAIVE = (id: string) => `session:${id}`

  it('takes an unknown id for a live, empty session (HGETALL); here it opens nothing', async () => {
    const hf = await house.connect()
    expect(await house.server.command('HGETALL', NAIVE('unknown'))).toEqual([])
    expect(await hf.sessions().load('A'.repeat(43))).toBeUndefined()
  })

  it('brings an ended session back by a late write (HSET); here it stays ended', async () => {
    const sessions = (await house.connect()).sessions()
    const { id } = await sessions.create({ role: 'user' })
    // The naive way, beside it: get, logout, set.
    await house.server.command('HSET', NAIVE(id), 'role', 'user')
    await house.server.command('DEL', NAIVE(id))
    await house.server.command('HSET', NAIVE(id), 'role', 'admin')
    expect(await house.server.command('EXISTS', NAIVE(id))).toBe(1)
    await sessions.load(id)
    await sessions.destroy(id)
    expect(await sessions.update(id, { role: 'admin' })).toBeUndefined()
    expect(await house.keys()).toEqual([])
  })

  it('leaves a session without an end when EXPIRE does not follow; here each is made with its end', async () => {
    const sessions = (await house.connect()).sessions()
    const { id, expiresAtMs } = await sessions.create({ n: 1 }, { userId: 'ann' })
    for (const key of await house.keys()) expect(await house.server.command('PTTL', key)).toBeGreaterThan(0)
    await sessions.update(id, { n: 2 })
    const [key] = await house.server.command<[string]>('KEYS', `{${house.namespace}:session:*`)
    expect(await house.server.command('PEXPIRETIME', key)).toBe(expiresAtMs)
  })

  it('looks through all keys to list (SCAN); here a list is read', async () => {
    const sessions = (await house.connect()).sessions()
    await sessions.create({}, { userId: 'ann' })
    const scans = async () =>
      /cmdstat_scan:calls=(\d+)/.exec(String(await house.server.command('INFO', 'commandstats')))?.[1] ?? '0'
    const before = await scans()
    expect(await sessions.listFor('ann')).toHaveLength(1)
    await sessions.revokeAll('ann')
    expect(await scans()).toBe(before)
  })
})

it('loads and touches in one command, and sends none for a malformed id', async () => {
  const sessions = (await house.connect()).sessions({ idle: '4s' })
  const { id, expiresAtMs } = await sessions.create({ n: 1 })
  const stats = async () => String(await house.server.command('INFO', 'commandstats'))
  const evals = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await stats())?.[1])
  await sessions.load(id)
  const before = await evals()
  let loads = 0
  await vi.waitFor(async () => {
    loads++
    expect((await sessions.load(id))?.expiresAtMs).toBeGreaterThan(expiresAtMs)
  }, 3_500)
  expect((await evals()) - before).toBe(loads)
  await sessions.load('malformed')
  await sessions.update('malformed', { n: 2 })
  expect((await evals()) - before).toBe(loads)
})

describe('a full server', () => {
  it('ends, revokes, loads and touches sessions, and takes fields away; it refuses what grows', async () => {
    const sessions = (await house.connect()).sessions<Record<string, unknown>>({ idle: '4s' })
    const make = () => sessions.create({ admin: true, n: 1 }, { userId: 'ann' })
    const [one, two, three] = [await make(), await make(), await make()]
    await house.whileFull(async () => {
      const full = { code: 'SERVER_FULL', retryable: true }
      await expect(make()).rejects.toMatchObject(full)
      await expect(sessions.update(one.id, { more: 'x' })).rejects.toMatchObject(full)
      await expect(sessions.regenerate(one.id)).rejects.toMatchObject(full)
      expect(await sessions.update(one.id, { admin: undefined })).toMatchObject({ data: { n: 1 } })
      await vi.waitFor(
        async () => expect((await sessions.load(one.id))?.expiresAtMs).toBeGreaterThan(one.expiresAtMs),
        3_500,
      )
      expect(await sessions.listFor('ann')).toHaveLength(3)
      expect(await sessions.destroy(one.id)).toBe(true)
      expect(await sessions.revoke('ann', sessions.refOf(two.id) as string)).toBe(true)
      expect(await sessions.revokeAll('ann')).toBe(1)
      expect(await sessions.load(three.id)).toBeUndefined()
    })
  })

  it('is told of nothing it would have to take back: each script that frees may run', () => {
    const freeing = Object.values(scripts).filter(({ source }) => source.flags.includes('allow-oom'))
    expect(freeing.map(({ source }) => source.name).sort()).toEqual(
      ['affirm', 'destroy', 'load', 'remove-fields', 'revoke', 'revoke-user', 'spare'].map((verb) => `session/${verb}`),
    )
  })
})

it('goes on when the server forgets its scripts', async () => {
  const sessions = (await house.connect()).sessions<{ n: number }>()
  const { id } = await sessions.create({ n: 1 })
  await house.server.command('SCRIPT', 'FLUSH')
  expect(await sessions.load(id)).toMatchObject({ data: { n: 1 } })
  await house.server.command('SCRIPT', 'FLUSH')
  expect(await sessions.update(id, { n: 2 })).toMatchObject({ data: { n: 2 } })
  await house.server.command('SCRIPT', 'FLUSH')
  expect(await sessions.destroy(id)).toBe(true)
})

it('begins no session in the place of another, and a repeat of its own changes nothing', async () => {
  const sessions = (await house.connect()).sessions<{ n: number }>()
  const id = 'abcdefghijklmnop'.padEnd(43, 'x')
  const made = await sessions.createAs(id, { n: 1 })
  await sessions.update(id, { n: 2 })
  expect(await sessions.createAs(id.replace(/x$/, 'y'), { n: 3 })).toBeUndefined()
  expect(await sessions.createAs(id, { n: 1 })).toEqual(made)
  expect(await sessions.load(id)).toMatchObject({ data: { n: 2 } })
  expect(await sessions.load(id.replace(/x$/, 'y'))).toBeUndefined()
})

it('says what it cannot read, and where', async () => {
  const sessions = (await house.connect()).sessions()
  const { id } = await sessions.create({ n: 1 })
  const [key] = await house.keys()
  await house.server.command('HSET', key as string, '.n', '{no json')
  await expect(sessions.load(id)).rejects.toMatchObject({ code: 'VALUE_UNREADABLE', path: '$.n' })
  await house.server.command('HSET', key as string, '.n', '!5|[["x"1')
  await expect(sessions.load(id)).rejects.toMatchObject({ code: 'VALUE_UNREADABLE' })
  expect(await sessions.destroy(id)).toBe(true)
})

describe('what is told of a call', () => {
  const heard: unknown[] = []
  const listen = (message: unknown) => void heard.push(message)
  const name = 'tracing:holdfast:session.load:asyncEnd'
  afterEach(() => channel(name).unsubscribe(listen))

  it('has its outcome, and no id', async () => {
    channel(name).subscribe(listen)
    const sessions = (await house.connect()).sessions()
    const { id } = await sessions.create({})
    await sessions.load(id)
    await sessions.load('A'.repeat(43))
    expect(heard).toMatchObject([{ sessions: 'default', outcome: 'session' }, { outcome: 'gone' }])
    expect(JSON.stringify(heard)).not.toContain(id.slice(16))
  })
})

it('refuses calls once the instance is closed', async () => {
  const hf = await house.connect()
  const sessions = hf.sessions()
  const { id } = await sessions.create({})
  await hf.close()
  for (const call of [sessions.load(id), sessions.create({}), sessions.destroy(id)])
    await expect(call).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
})
