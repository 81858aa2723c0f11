/** Logging in and out, and the devices where one is logged in. */

import { type Context, Hono } from 'hono'
import { accountId, isPassword, readEmail } from '../accounts/account.ts'
import { deviceOf } from '../accounts/device.ts'
import { AccountPage } from '../pages/account.tsx'
import { LoginPage } from '../pages/login.tsx'
import { limitLogins } from './limits.ts'
import { Refusal } from './refusal.ts'
import { page, type Shop, wantsJson } from './route.ts'
import { visitOf } from './visitor.ts'

/** A path of ours: one slash, and nothing that a browser takes for another host. */
const PATH = /^\/(?![/\\])[\w\-./~%?=&+,:]{0,1800}$/
const HOME = '/account'

export function accountRoutes(shop: Shop): Hono {
  const app = new Hono()

  app.get('/login', async (c) => {
    const next = nextOf(c.req.query('next'))
    if ((await visitOf(c).load()) !== undefined) return c.redirect(next, 303)
    return page(c, <LoginPage next={next} />)
  })

  const limits = limitLogins(shop.hf, async (c, { message }) => {
    shop.figures.count('limited')
    shop.audience.refused('login')
    const { next, typed } = await readForm(c)
    return notIn(c, { next, email: typed, problem: { message } }, 429)
  })

  app.post('/login', ...limits, async (c) => {
    const { next, typed, password } = await readForm(c)
    const email = readEmail(typed)
    if (typeof email !== 'string') return notIn(c, { next, email: typed, problem: email }, 400)
    if (!isPassword(password)) {
      const problem = { field: 'password', message: 'This is not the password.' } as const
      return notIn(c, { next, email, problem }, 401)
    }
    const id = accountId(email)
    // Another id, whatever the cookie said before: who planted one is out.
    await visitOf(c).login(id, { email }, { label: deviceOf(c.req.header('user-agent')) })
    if (wantsJson(c)) return c.json({ status: 'in', next })
    return c.redirect(next, 303)
  })

  app.post('/logout', async (c) => {
    await visitOf(c).destroy()
    if (wantsJson(c)) return c.json({ status: 'out' })
    return c.redirect('/', 303)
  })

  app.get('/account', async (c) => {
    const session = await visitOf(c).load()
    if (session?.userId === undefined) return c.redirect(`/login?next=${HOME}`, 303)
    const devices = await shop.sessions.listFor(session.userId)
    const here = shop.sessions.refOf(session.id)
    if (wantsJson(c)) return c.json({ email: session.data.email, here, devices })
    return page(c, <AccountPage email={session.data.email} devices={devices} here={here} />)
  })

  app.post('/account/devices/:ref/end', async (c) => {
    const session = await visitOf(c).load()
    if (session?.userId === undefined) throw new Refusal('NOT_LOGGED_IN', 'You are not logged in.')
    const ref = c.req.param('ref')
    // By the user of the session: a stranger's reference ends nothing.
    if (ref === 'others') await shop.sessions.revokeAll(session.userId, { except: session.id })
    else await shop.sessions.revoke(session.userId, ref)
    if (wantsJson(c)) return c.json({ status: 'ended' })
    return c.redirect(HOME, 303)
  })

  return app
}

async function readForm(c: Context) {
  const form = await c.req.parseBody()
  return { next: nextOf(form.next), typed: textOf(form.email), password: textOf(form.password) }
}

function notIn(c: Context, props: Parameters<typeof LoginPage>[0], status: 400 | 401 | 429): Response {
  const message = props.problem?.message ?? ''
  if (wantsJson(c)) {
    const code = status === 429 ? 'TOO_MANY_REQUESTS' : status === 401 ? 'WRONG_PASSWORD' : 'BAD_REQUEST'
    return c.json({ error: { code, message } }, status)
  }
  return page(c, <LoginPage {...props} />, status)
}

function nextOf(value: unknown): string {
  return typeof value === 'string' && PATH.test(value) ? value : HOME
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 300) : ''
}
