import fc from 'fast-check'
import { expect, it } from 'vitest'
import { House } from './house.fixture.ts'
import type { Sessions } from './sessions.ts'

const house = new House()
type Data = Record<string, unknown>

/** What a session should be: the oracle's memory of it. */
interface Known {
  data: Data
  user: string | undefined
  /** The last is the current one; the others open it too. */
  ids: string[]
}

const USERS = ['ann', 'bob', 'ann\t1'] as const
const user = fc.option(fc.constantFrom(...USERS), { nil: undefined })
const field = fc.constantFrom('a', 'b', '', '.a', 'meta', 'user', 'x\n\t\\y')
const value = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.constant(undefined),
  fc.constant(null),
  fc.date({ noInvalidDate: true }),
  fc.bigInt(),
)
const patch = fc.dictionary(field, value, { maxKeys: 4, noNullPrototype: true })
/** Which of the ids ever seen: also those that open nothing any more. */
const pick = fc.nat(30)
const op = fc.oneof(
  fc.record({ verb: fc.constant('create' as const), patch, user }),
  fc.record({ verb: fc.constant('load' as const), pick }),
  fc.record({ verb: fc.constant('update' as const), pick, patch }),
  fc.record({ verb: fc.constant('regenerate' as const), pick, patch, user, overlap: fc.boolean() }),
  fc.record({ verb: fc.constant('destroy' as const), pick }),
  fc.record({ verb: fc.constant('revoke' as const), pick, user: fc.constantFrom(...USERS) }),
  fc.record({ verb: fc.constant('revokeAll' as const), pick, user: fc.constantFrom(...USERS), spare: fc.boolean() }),
  fc.record({ verb: fc.constant('list' as const), user: fc.constantFrom(...USERS) }),
)
type Op = typeof op extends fc.Arbitrary<infer O> ? O : never

class Oracle {
  readonly ids: string[] = []
  readonly alive = new Set<Known>()

  of(id: string): Known | undefined {
    return [...this.alive].find(({ ids }) => ids.includes(id))
  }

  ofUser(name: string): Known[] {
    return [...this.alive].filter((known) => known.user === name)
  }
}

const merge = (data: Data, change: Data): Data =>
  Object.fromEntries(Object.entries({ ...data, ...change }).filter(([, item]) => item !== undefined))

async function step(sessions: Sessions<Data>, oracle: Oracle, does: Op): Promise<void> {
  const id = 'pick' in does ? (oracle.ids[does.pick % Math.max(1, oracle.ids.length)] ?? 'A'.repeat(43)) : ''
  const known = oracle.of(id)
  const shape = (opener: string) => known && { id: opener, data: known.data, userId: known.user }
  switch (does.verb) {
    case 'create': {
      const made = await sessions.create(does.patch, does.user === undefined ? {} : { userId: does.user })
      oracle.ids.push(made.id)
      oracle.alive.add({ data: merge({}, does.patch), user: does.user, ids: [made.id] })
      return expect(made.data).toEqual(merge({}, does.patch))
    }
    case 'load':
      return expectShape(await sessions.load(id), shape(id))
    case 'update': {
      const updated = await sessions.update(id, does.patch)
      if (known) known.data = merge(known.data, does.patch)
      return expectShape(updated, shape(id))
    }
    case 'regenerate': {
      const login = does.user === undefined ? {} : { userId: does.user }
      const overlap = does.overlap ? '1h' : 0
      const next = await sessions.regenerate(id, { ...login, data: does.patch, overlap })
      const isCurrent = known?.ids.at(-1) === id
      if (known === undefined || (!isCurrent && does.user !== undefined)) return expect(next).toBeUndefined()
      known.data = merge(known.data, does.patch)
      if (!isCurrent) return expectShape(next, shape(id))
      expect(oracle.ids).not.toContain(next?.id)
      const opener = next?.id as string
      oracle.ids.push(opener)
      // Four earlier ones are kept at most.
      known.ids = does.overlap ? [...known.ids, opener].slice(-5) : [opener]
      known.user = does.user ?? known.user
      return expectShape(next, shape(opener))
    }
    case 'destroy':
      expect(await sessions.destroy(id)).toBe(known !== undefined)
      return void (known && oracle.alive.delete(known))
    case 'revoke': {
      const ref = sessions.refOf(id) as string
      const mine = oracle.ofUser(does.user).find(({ ids }) => sessions.refOf(ids[0]) === ref)
      expect(await sessions.revoke(does.user, ref)).toBe(mine !== undefined)
      return void (mine && oracle.alive.delete(mine))
    }
    case 'revokeAll': {
      const except = does.spare ? sessions.refOf(id) : undefined
      const doomed = oracle.ofUser(does.user).filter(({ ids }) => sessions.refOf(ids[0]) !== except)
      expect(await sessions.revokeAll(does.user, except === undefined ? {} : { except })).toBe(doomed.length)
      for (const one of doomed) oracle.alive.delete(one)
      return
    }
    case 'list': {
      const refs = (await sessions.listFor(does.user)).map(({ ref }) => ref)
      return expect(refs.sort()).toEqual(
        oracle
          .ofUser(does.user)
          .map(({ ids }) => sessions.refOf(ids[0]))
          .sort(),
      )
    }
  }
}

function expectShape(session: unknown, wanted: object | undefined): void {
  if (wanted === undefined) expect(session).toBeUndefined()
  else expect(session).toEqual({ ...wanted, createdAtMs: expect.any(Number), expiresAtMs: expect.any(Number) })
}

/** The keys without an end. */
const IMMORTAL = `local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('PTTL', key) == -1 then found[#found + 1] = key end
end
return found`

it('does what an oracle in memory says, whatever the order of calls', async () => {
  const hf = await house.connect()
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 10, maxLength: 30, size: 'max' }), async (steps) => {
      const sessions = hf.sessions<Data>({ name: `${run++}` })
      const oracle = new Oracle()
      for (const does of steps) {
        await step(sessions, oracle, does)
        expect(await house.server.command('EVAL', IMMORTAL, 0, `*:${sessions.name}:*`), does.verb).toEqual([])
      }
      await expectBooks(sessions, oracle)
    }),
    { numRuns: 25 },
  )
})

/** Every id ever seen opens what it should. */
async function expectBooks(sessions: Sessions<Data>, oracle: Oracle): Promise<void> {
  for (const id of oracle.ids) expect((await sessions.load(id))?.data).toEqual(oracle.of(id)?.data)
  expect(await sessions.count()).toBe(oracle.alive.size)
}
