// Sessions by their users, and sets of sessions beside each other, on every topology.
import type { Holdfast, Sessions, SessionsOptions } from 'holdfast'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Holdfast as Instance } from '../../src/holdfast.ts'
import { inspectUser } from '../../src/session/inspect.ts'
import { Place } from './place.ts'
import { expectLives } from './session-lives.ts'

interface Data {
  n?: number | undefined
}

const NAMES = ['default', 'staff', 'odd {name}:*']
const place = new Place({ caches: [], sessions: NAMES })
let hf: Holdfast
let sessions: Sessions<Data>

beforeEach(async () => {
  hf = await place.connect()
  sessions = hf.sessions<Data>()
})

afterEach(() => expectLives(place))

const open = (options: SessionsOptions) => hf.sessions<Data>(options)
const userKey = (user: string) => `{${place.namespace}:session-user:default:${user}}`

describe("a user's sessions", () => {
  const three = async () =>
    [
      await sessions.create({ n: 1 }, { userId: 'USR123', label: 'one' }),
      await sessions.create({ n: 2 }, { userId: 'USR123', label: 'two\tlines\n\\' }),
      await sessions.create({ n: 3 }, { userId: 'USR123' }),
    ] as const

  it('are listed without an id', async () => {
    const made = await three()
    await sessions.create({ n: 4 }, { userId: 'USR12' })
    const listed = await sessions.listFor('USR123')
    expect(listed).toHaveLength(3)
    for (const { id, createdAtMs, expiresAtMs } of made) {
      const ref = sessions.refOf(id)
      const label = [undefined, 'one', 'two\tlines\n\\'].find((name) =>
        listed.some((info) => info.ref === ref && info.label === name),
      )
      expect(listed).toContainEqual({ ref, label, createdAtMs, lastSeenMs: createdAtMs, expiresAtMs })
      expect(JSON.stringify(listed)).not.toContain(id.slice(16))
      expect(await sessions.load(ref)).toBeUndefined()
    }
    const seen = await inspectUser(Instance.redisOf(hf), 'default', 'USR123')
    expect(seen).toHaveLength(3)
    expect(seen).toEqual(expect.arrayContaining([...listed]))
    expect(new Set(listed.map(({ label }) => label))).toEqual(new Set(['one', 'two\tlines\n\\', undefined]))
    expect(await sessions.listFor('nobody')).toEqual([])
  })

  it('are revoked one by one, each by its user alone', async () => {
    const [one, two] = await three()
    const ref = sessions.refOf(one.id) as string
    expect(await sessions.revoke('USR456', ref)).toBe(false)
    expect(await sessions.revoke('USR123', 'nonsense')).toBe(false)
    expect(await sessions.load(one.id)).toBeDefined()
    expect(await sessions.revoke('USR123', ref)).toBe(true)
    expect(await sessions.load(one.id)).toBeUndefined()
    expect(await sessions.update(one.id, { n: 9 })).toBeUndefined()
    expect(await sessions.load(two.id)).toBeDefined()
    expect(await sessions.listFor('USR123')).toHaveLength(2)
    expect(await sessions.revoke('USR123', ref)).toBe(false)
  })

  it('are revoked all, or all but one', async () => {
    const [one, two, last] = await three()
    const stranger = await sessions.create({ n: 4 }, { userId: 'USR456' })
    expect(await sessions.revokeAll('USR123', { except: two.id })).toBe(2)
    for (const { id } of [one, last]) expect(await sessions.load(id)).toBeUndefined()
    expect(await sessions.load(two.id)).toMatchObject({ data: { n: 2 } })
    expect(await sessions.listFor('USR123')).toHaveLength(1)
    expect(await sessions.revokeAll('USR123')).toBe(1)
    expect(await sessions.load(two.id)).toBeUndefined()
    expect(await sessions.listFor('USR123')).toEqual([])
    expect(await sessions.load(stranger.id)).toBeDefined()
    const next = await sessions.create({ n: 5 }, { userId: 'USR123' })
    expect(await sessions.load(next.id)).toBeDefined()
    expect(await sessions.listFor('USR123')).toHaveLength(1)
  })

  it('are over at their next touch when a revocation could not know them', async () => {
    // The entry is lost, as by a failover of the server that has it, and the session is not.
    const busy = open({ idle: '4s' })
    const { id } = await busy.create({ n: 1 }, { userId: 'USR123' })
    await place.command('HDEL', userKey('USR123'), busy.refOf(id) as string)
    expect(await busy.revokeAll('USR123')).toBe(0)
    await vi.waitFor(async () => expect(await busy.load(id)).toBeUndefined(), { timeout: 5_000, interval: 20 })
    expect(await busy.listFor('USR123')).toEqual([])
  })

  it('are listed again at their next touch when their entry was lost', async () => {
    const busy = open({ idle: '4s' })
    const { id } = await busy.create({ n: 1 }, { userId: 'USR123' })
    await place.command('UNLINK', userKey('USR123'))
    expect(await busy.listFor('USR123')).toEqual([])
    await vi.waitFor(
      async () => {
        await busy.load(id)
        expect(await busy.listFor('USR123')).toMatchObject([{ ref: busy.refOf(id) }])
      },
      { timeout: 5_000, interval: 20 },
    )
  })

  it('leave no list that only grows', async () => {
    const long = `${Date.now() - 3_600_000} ${Date.now() + 3_600_000}`
    const over = `${Date.now() - 7_200_000} ${Date.now() - 3_600_000}`
    const dead = Array.from({ length: 100 }, (_, i) => [`dead${i}`.padEnd(16, '-'), i % 2 ? long : over]).flat()
    await sessions.create({ n: 1 }, { userId: 'USR123' })
    await place.command('HSET', userKey('USR123'), ...dead)
    const size = () => place.command<number>('HLEN', userKey('USR123'))
    // A login clears a few, reading the list the rest.
    await sessions.create({ n: 2 }, { userId: 'USR123' })
    await vi.waitFor(async () => expect(await size()).toBeLessThan(102 - 8), 5_000)
    expect(await sessions.listFor('USR123')).toHaveLength(2)
    await vi.waitFor(async () => expect(await size()).toBe(2), 5_000)
  })
})

describe('sets of sessions', () => {
  it('stay apart by their names', async () => {
    const sets = NAMES.map((name) => open({ name }))
    const made = await Promise.all(sets.map((set, n) => set.create({ n }, { userId: 'USR123' })))
    for (const [i, set] of sets.entries())
      for (const [j, { id }] of made.entries()) expect((await set.load(id))?.data.n).toBe(i === j ? i : undefined)
    expect(await sets[0]?.revokeAll('USR123')).toBe(1)
    expect(await sets[1]?.listFor('USR123')).toHaveLength(1)
    expect(await sets[2]?.count()).toBe(1)
    await sets[2]?.clear()
    expect(await sets[2]?.load(made[2]?.id)).toBeUndefined()
    expect(await sets[2]?.listFor('USR123')).toEqual([])
    expect(await sets[1]?.load(made[1]?.id)).toBeDefined()
  })

  it('spread over all servers, users too', async () => {
    const users = ['', ...Array.from({ length: 30 }, (_, i) => `user ${i}:{x}*\t\n\\`)].slice(1)
    const made = await Promise.all(users.map((userId, n) => sessions.create({ n }, { userId })))
    expect(await sessions.count()).toBe(30)
    for (const witness of place.all)
      expect((await witness.keys(`{${place.namespace}:session:*`)).length).toBeGreaterThan(0)
    const lists = await Promise.all(users.map((userId) => sessions.listFor(userId)))
    expect(lists.map((list) => list.map(({ ref }) => ref))).toEqual(made.map(({ id }) => [sessions.refOf(id)]))
    await sessions.clear()
    expect(await sessions.count()).toBe(0)
  })
})
