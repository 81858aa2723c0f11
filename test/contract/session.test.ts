// What sessions promise, on every topology.
import type { Holdfast, Sessions, SessionsOptions } from 'holdfast'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Place } from './place.ts'
import { expectLives } from './session-lives.ts'

interface Data {
  role?: string | undefined
  cart?: readonly string[]
  since?: Date
  n?: number | undefined
}

const place = new Place({ caches: [], sessions: ['default'] })
let hf: Holdfast
let sessions: Sessions<Data>

beforeEach(async () => {
  hf = await place.connect()
  sessions = hf.sessions<Data>()
})

afterEach(() => expectLives(place))

const open = (options: SessionsOptions) => hf.sessions<Data>(options)
const sessionKeys = () => place.keys(`{${place.namespace}:session:*`)
const keyOf = (id: string) => `{${place.namespace}:session:default:${sessions.refOf(id)}}`
const userKey = (user: string) => `{${place.namespace}:session-user:default:${user}}`
const FOREIGN = 'A'.repeat(43)

describe('a session', () => {
  it('is made, loaded, changed and ended, by whichever process', async () => {
    const other = (await place.connect()).sessions<Data>()
    const since = new Date()
    const made = await sessions.create({ role: 'user', since, n: undefined }, { userId: 'USR123', label: 'Firefox' })
    expect(made).toEqual({
      ...{ id: expect.stringMatching(/^[\w-]{43}$/), data: { role: 'user', since }, userId: 'USR123' },
      ...{ createdAtMs: expect.any(Number), expiresAtMs: made.createdAtMs + 1_800_000 },
    })
    expect(await other.load(made.id)).toEqual(made)
    const changed = await other.update(made.id, { role: 'admin', cart: ['a'] })
    expect(changed).toEqual({ ...made, data: { role: 'admin', since, cart: ['a'] } })
    expect((await sessions.update(made.id, { cart: undefined, since: undefined }))?.data).toEqual({ role: 'admin' })
    expect(await sessions.load(made.id)).toMatchObject({ data: { role: 'admin' } })
    expect(await other.destroy(made.id)).toBe(true)
    expect(await sessions.load(made.id)).toBeUndefined()
    expect(await sessions.destroy(made.id)).toBe(false)
    expect(await sessionKeys()).toEqual([])
  })

  it("may be nobody's, and then no user's list knows it", async () => {
    const { id, userId } = await sessions.create({ n: 1 })
    expect(userId).toBeUndefined()
    expect(await sessions.load(id)).toMatchObject({ data: { n: 1 }, userId: undefined })
    expect(await place.keys(`{${place.namespace}:session-user:*`)).toEqual([])
  })

  it('keeps whatever its fields hold, and any name of a field', async () => {
    const data = {
      ...{
        '': 1,
        '.x': 2,
        meta: 'mine',
        user: 'me',
        'a b{}*:': null,
        Ünï: '🎭',
        'two\nlines\t\\': 'two\nlines',
        size: -0,
        big: 10n ** 30n,
      },
      ...{ map: new Map([['k', new Set([1])]]), bytes: Buffer.from([0, 255]), deep: { list: [{ at: new Date(5) }] } },
    }
    Object.defineProperty(data, '__proto__', { value: { a: 1 }, enumerable: true })
    const some = hf.sessions<Record<string, unknown>>()
    const made = await some.create(data)
    expect(made.data).toEqual(data)
    const loaded = await some.load(made.id)
    expect(loaded).toEqual(made)
    expect(Object.keys(loaded?.data ?? {})).toContain('__proto__')
    expect(Object.getPrototypeOf(loaded?.data)).toBe(Object.prototype)
    await expect(some.update(made.id, { deep: { run: () => 1 } })).rejects.toMatchObject({ path: '$.deep.run' })
    await expect(some.update(made.id, { '\ud800': 1 })).rejects.toMatchObject({ code: 'VALUE_UNWRITABLE' })
    expect(await some.load(made.id)).toEqual(made)
  })

  it('lies under its hashed id, so that what Redis holds gives no session away', async () => {
    const { id } = await sessions.create({ role: 'user' }, { userId: 'USR123' })
    const held = [await place.command('HGETALL', keyOf(id)), await place.command('HGETALL', userKey('USR123'))]
    expect(JSON.stringify(held)).not.toContain(id.slice(16))
    expect((await place.keys(`*${place.namespace}*`)).join()).not.toContain(id.slice(16))
    // What is stored opens nothing either.
    const stored = (await place.command<string>('HGET', keyOf(id), 'meta')).slice(0, 43)
    expect(stored).toMatch(/^[\w-]{43}$/)
    expect(await sessions.load(stored)).toBeUndefined()
    expect(await sessions.load(id.slice(0, 16) + stored.slice(16))).toBeUndefined()
  })

  it('ends when it was not used for its idle life, and after its absolute life in any case', async () => {
    const short = open({ idle: 300, absolute: '1h' })
    const idle = await short.create({ n: 1 })
    const capped = await open({ idle: 300, absolute: 300 }).create({ n: 1 })
    expect(capped.expiresAtMs).toBe(capped.createdAtMs + 300)
    // Used until its absolute life is over.
    await vi.waitFor(
      async () => expect(await open({ idle: 300, absolute: 300 }).load(capped.id)).toBeUndefined(),
      5_000,
    )
    await vi.waitFor(async () => expect(await sessionKeys()).toEqual([]), 5_000)
    expect(await short.update(idle.id, { n: 2 })).toBeUndefined()
    expect(await short.regenerate(idle.id)).toBeUndefined()
    expect(await sessionKeys()).toEqual([])
  })

  it('is used without a write until a tenth of its idle life has passed', async () => {
    const busy = open({ idle: '2s' })
    const { id, createdAtMs } = await busy.create({ n: 1 })
    const seen = async () => (await place.command<string>('HGET', keyOf(id), 'meta')).slice(56, 69)
    await Promise.all(Array.from({ length: 20 }, () => busy.load(id)))
    const early = await busy.load(id)
    // On a machine that was slow the first tenth is over by now.
    if ((await seen()) === `${createdAtMs}`) expect(early?.expiresAtMs).toBe(createdAtMs + 2_000)
    const touched = await vi.waitFor(async () => {
      const found = await busy.load(id)
      expect(found?.expiresAtMs).toBeGreaterThanOrEqual(createdAtMs + 2_200)
      return found
    }, 5_000)
    const ttl = await place.command<number>('PEXPIRETIME', keyOf(id))
    expect(ttl).toBe(touched?.expiresAtMs)
  })
})

describe('an id that was not issued here', () => {
  const malformed = [
    undefined,
    '',
    'x',
    'A'.repeat(42),
    `${'A'.repeat(42)}=`,
    '../../x',
    '\0'.repeat(43),
    'A'.repeat(5_000),
  ]

  it('opens and creates nothing', async () => {
    for (const id of malformed) {
      expect(await sessions.load(id)).toBeUndefined()
      expect(await sessions.update(id, { role: 'admin' })).toBeUndefined()
      expect(await sessions.regenerate(id, { userId: 'USR123' })).toBeUndefined()
      expect(await sessions.destroy(id)).toBe(false)
    }
    expect(await place.keys(`*${place.namespace}:session*`)).toEqual([])
  })

  it('is asked for when it has the form of one, and creates nothing then either', async () => {
    expect(await sessions.load(FOREIGN)).toBeUndefined()
    expect(await sessions.update(FOREIGN, { role: 'admin' })).toBeUndefined()
    expect(await sessions.regenerate(FOREIGN)).toBeUndefined()
    expect(await sessions.destroy(FOREIGN)).toBe(false)
    expect(await sessionKeys()).toEqual([])
  })
})

describe('parallel requests', () => {
  it('lose no field of each other', async () => {
    const some = hf.sessions<Record<string, number>>()
    const other = (await place.connect()).sessions<Record<string, number>>()
    const { id } = await some.create({})
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => (i % 2 ? some : other).update(id, { [`f${i}`]: i, last: i })),
    )
    const { last, ...fields } = (await some.load(id))?.data ?? {}
    expect(fields).toEqual(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, i])))
    expect(last).toBeLessThan(40)
  })

  it('that loaded before a logout bring nothing back', async () => {
    const other = (await place.connect()).sessions<Data>()
    const { id } = await sessions.create({ role: 'user' }, { userId: 'USR123' })
    await other.load(id)
    await sessions.destroy(id)
    expect(await other.update(id, { role: 'admin' })).toBeUndefined()
    expect(await other.update(id, { role: undefined })).toBeUndefined()
    expect(await other.regenerate(id, { userId: 'USR123', data: { role: 'admin' } })).toBeUndefined()
    expect(await sessionKeys()).toEqual([])
  })
})

describe('another id', () => {
  it('opens the session at once, and the earlier one for a while: fields set by either stand', async () => {
    const made = await sessions.create({ role: 'user' }, { userId: 'USR123' })
    const next = await sessions.regenerate(made.id, { data: { role: 'admin' } })
    expect(next).toEqual({ ...made, id: expect.stringMatching(/^[\w-]{43}$/), data: { role: 'admin' } })
    expect(next?.id).not.toBe(made.id)
    expect(await sessions.update(made.id, { n: 1 })).toMatchObject({ id: made.id, data: { role: 'admin', n: 1 } })
    expect(await sessions.update(next?.id, { cart: ['a'] })).toMatchObject({
      data: { role: 'admin', n: 1, cart: ['a'] },
    })
    expect(await sessionKeys()).toHaveLength(1)
    expect((await sessions.listFor('USR123')).map(({ ref }) => ref)).toEqual([sessions.refOf(made.id)])
  })

  it('is not given to who comes with an earlier one', async () => {
    const made = await sessions.create({ n: 1 })
    const next = await sessions.regenerate(made.id)
    const again = await sessions.regenerate(made.id, { data: { n: 2 } })
    expect(again).toEqual({ ...made, data: { n: 2 } })
    expect(await sessions.load(next?.id)).toMatchObject({ data: { n: 2 } })
    // Nor may he log in: the session would be his, and he would keep it.
    expect(await sessions.regenerate(made.id, { userId: 'USR123', data: { n: 3 } })).toBeUndefined()
    expect(await sessions.load(next?.id)).toMatchObject({ userId: undefined, data: { n: 2 } })
    expect(await sessions.listFor('USR123')).toEqual([])
  })

  it('ends the earlier one when the overlap is over', async () => {
    const made = await sessions.create({ n: 1 })
    const next = await sessions.regenerate(made.id, { overlap: 50 })
    await vi.waitFor(async () => expect(await sessions.load(made.id)).toBeUndefined(), 5_000)
    expect(await sessions.destroy(made.id)).toBe(false)
    expect(await sessions.load(next?.id)).toMatchObject({ data: { n: 1 } })
  })

  it('ends every earlier one at once where no overlap is wanted', async () => {
    const first = await sessions.create({ n: 1 })
    const second = await sessions.regenerate(first.id, { overlap: '1m' })
    const third = await sessions.regenerate(second?.id, { overlap: '1m' })
    for (const id of [first.id, second?.id, third?.id])
      expect(await sessions.load(id)).toMatchObject({ data: { n: 1 } })
    const last = await sessions.regenerate(third?.id, { overlap: 0 })
    for (const id of [first.id, second?.id, third?.id]) expect(await sessions.load(id)).toBeUndefined()
    expect(await sessions.load(last?.id)).toMatchObject({ data: { n: 1 } })
  })

  it('at a login ends the planted one, and begins a new life of that user', async () => {
    const planted = await sessions.create({ cart: ['a'] })
    const login = await sessions.regenerate(planted.id, { userId: 'USR123', label: 'Firefox', data: { role: 'user' } })
    expect(login).toMatchObject({ userId: 'USR123', data: { cart: ['a'], role: 'user' } })
    expect(await sessions.load(planted.id)).toBeUndefined()
    expect(await sessions.regenerate(planted.id, { userId: 'USR123' })).toBeUndefined()
    expect(await sessions.listFor('USR123')).toMatchObject([{ ref: sessions.refOf(login?.id), label: 'Firefox' }])
    // Somebody else logs in on the same device.
    const other = await sessions.regenerate(login?.id, { userId: 'USR456' })
    expect(await sessions.load(other?.id)).toMatchObject({ userId: 'USR456' })
    expect(await sessions.listFor('USR123')).toEqual([])
    expect(await sessions.listFor('USR456')).toHaveLength(1)
    expect(await sessions.revokeAll('USR123')).toBe(0)
    expect(await sessions.load(other?.id)).toBeDefined()
  })

  it('is given to one of many who ask at once, and all are answered the session', async () => {
    const { id } = await sessions.create({ n: 1 })
    const other = (await place.connect()).sessions<Data>()
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? sessions : other).regenerate(id)))
    expect(answers.every((answer) => answer?.data.n === 1)).toBe(true)
    expect(new Set(answers.map((answer) => answer?.id)).size).toBe(2)
    expect(answers.filter((answer) => answer?.id === id)).toHaveLength(9)
  })
})

describe('limits', () => {
  it('refuses data beyond maxBytes, and keeps what there is', async () => {
    const small = hf.sessions<Record<string, string>>({ maxBytes: 100 })
    const { id } = await small.create({ a: 'x'.repeat(60) })
    const refused = { code: 'SESSION_TOO_LARGE', maxBytes: 100, retryable: false }
    await expect(small.update(id, { b: 'y'.repeat(40) })).rejects.toMatchObject(refused)
    await expect(small.update(id, { b: 'y'.repeat(200) })).rejects.toMatchObject(refused)
    await expect(small.create({ b: 'y'.repeat(200) })).rejects.toMatchObject(refused)
    await expect(small.regenerate(id, { data: { b: 'y'.repeat(40) } })).rejects.toMatchObject(refused)
    expect(await small.load(id)).toMatchObject({ data: { a: 'x'.repeat(60) } })
    // In one step with what it removes, it fits.
    expect((await small.update(id, { a: undefined, b: 'y'.repeat(40) }))?.data).toEqual({ b: 'y'.repeat(40) })
    expect((await small.update(id, { b: 'z'.repeat(90) }))?.data).toEqual({ b: 'z'.repeat(90) })
    // Made under a greater bound, it may shrink.
    const before = await hf.sessions<Record<string, string>>().create({ a: 'x'.repeat(90), b: 'y'.repeat(90) })
    expect(await small.update(before.id, { a: 'x'.repeat(50) })).toMatchObject({ data: { a: 'x'.repeat(50) } })
    await expect(small.update(before.id, { a: 'x'.repeat(51) })).rejects.toMatchObject(refused)
  })

  it('takes as many fields as it allows', async () => {
    const some = hf.sessions<Record<string, number>>()
    const many = (count: number, n: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, n]))
    const { id } = await some.create(many(1_000, 1))
    expect((await some.update(id, many(1_000, 2)))?.data).toEqual(many(1_000, 2))
    const none = Object.fromEntries(Object.keys(many(1_000, 1)).map((name) => [name, undefined]))
    expect((await some.update(id, none as never))?.data).toEqual({})
    await expect(some.update(id, many(1_001, 1))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
