// What a user's compiler takes and refuses of sessions. The lines below `@ts-expect-error` are compiled by `npm run types`, never run.
import type { Holdfast, Session, SessionInfo, Sessions } from 'holdfast'
import type { SessionVisit } from 'holdfast/http'
import { expectTypeOf, test } from 'vitest'

// Types alone, so that no framework is loaded: nothing below is run.
declare const express: typeof import('express')
declare const fastify: typeof import('fastify')['default']
declare const Hono: typeof import('hono')['Hono']
declare const forExpress: typeof import('holdfast/express')
declare const forFastify: typeof import('holdfast/fastify')
declare const forHono: typeof import('holdfast/hono')
declare const forFetch: typeof import('holdfast/fetch')

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

test('knows the data of a session behind each door', () => {
  const calls = async (hf: Holdfast) => {
    const sessions = hf.sessions<Data>()
    const cookie = { keys: 'a key of at least sixteen letters' }
    const auth = forExpress.withSession(sessions, cookie)
    express().use(auth, async (req, res) => {
      expectTypeOf(auth.of(req)).toEqualTypeOf<SessionVisit<Data>>()
      expectTypeOf((await auth.of(req).load())?.data.role).toEqualTypeOf<string | undefined>()
      res.end()
    })
    const plugin = forFastify.withSession(sessions, new forFastify.SessionCookie(cookie))
    await fastify().register(plugin)
    expectTypeOf(plugin.of).returns.toEqualTypeOf<SessionVisit<Data>>()
    new Hono()
      .use(
        forHono.withSession(sessions, cookie),
        forHono.withSession(hf.sessions<{ desk: number }>(), cookie, { as: 'staff' }),
      )
      .get('/', async (c) => {
        expectTypeOf(c.get('session')).toEqualTypeOf<SessionVisit<Data>>()
        expectTypeOf(c.var.staff).toEqualTypeOf<SessionVisit<{ desk: number }>>()
        // @ts-expect-error no such variable
        c.get('sessions')
        // @ts-expect-error a role is text
        await c.var.session.update({ role: 5 })
        return c.body(null)
      })
    const handler = forFetch.withSession(sessions, cookie, async (_request, visit) => {
      expectTypeOf(visit).toEqualTypeOf<SessionVisit<Data>>()
      return new Response()
    })
    expectTypeOf(handler).returns.toEqualTypeOf<Promise<Response>>()
    // @ts-expect-error keys are a must
    forHono.withSession(sessions, {})
  }
  expectTypeOf(calls).toBeFunction()
})
