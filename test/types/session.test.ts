// What a user's compiler takes and refuses of sessions. The lines below `@ts-expect-error` are compiled by `npm run types`, never run.
import type { Holdfast, Session, SessionInfo, Sessions } from 'holdfast'
import { expectTypeOf, test } from 'vitest'

interface Data {
  role: string
  cart?: readonly string[]
}

test('knows the data of a session', () => {
  const calls = async (hf: Holdfast) => {
    const sessions = hf.sessions<Data>({ idle: '30m', absolute: '7d' })
    expectTypeOf(sessions).toEqualTypeOf<Sessions<Data>>()
    const made = await sessions.create({ role: 'user' }, { userId: 'USR123', label: 'Firefox on Linux' })
    expectTypeOf(made).toEqualTypeOf<Session<Data>>()
    expectTypeOf(await sessions.load(made.id)).toEqualTypeOf<Session<Data> | undefined>()
    expectTypeOf(await sessions.update(made.id, { cart: undefined })).toEqualTypeOf<Session<Data> | undefined>()
    expectTypeOf(await sessions.regenerate(made.id)).toEqualTypeOf<Session<Data> | undefined>()
    expectTypeOf(await sessions.destroy(made.id)).toEqualTypeOf<boolean>()
    expectTypeOf(await sessions.listFor('USR123')).toEqualTypeOf<readonly SessionInfo[]>()
    await sessions.load(undefined)
    await sessions.regenerate(made.id, { userId: 'USR123', data: { role: 'admin' }, overlap: 0 })
    await sessions.revokeAll('USR123', { except: made.id })
    // @ts-expect-error a role is needed
    await sessions.create({})
    // @ts-expect-error no such field
    await sessions.update(made.id, { rule: 'admin' })
    // @ts-expect-error the option is called idle
    hf.sessions({ ttl: '30m' })
    // @ts-expect-error a list never says an id
    expectTypeOf((await sessions.listFor('USR123'))[0]?.id)
    expectTypeOf((await hf.sessions().create({ anything: 1 })).data).toEqualTypeOf<Record<string, unknown>>()
  }
  expectTypeOf(calls).toBeFunction()
})
