import { describe, expect, it } from 'vitest'
import type { Front } from './front.fixture.ts'
import { form, GOOD, type Visit } from './visit.fixture.ts'

/** The routes of account.tsx: logins and devices. */
export function testAccount(front: Front): void {
  describe('an account', () => {
    const email = () => `${crypto.randomUUID()}@example.com`
    const login = (visit: Visit, who: string, password = 'encore', next = '/orders') =>
      visit('/login', form({ email: who, password, next }))
    const orders = async (visit: Visit) => (await visit('/orders', { headers: { accept: 'text/html' } })).text()
    const isIn = async (visit: Visit) => (await visit('/account')).status === 200

    it('has what is bought while one is logged in, on each of its devices and in no browser after the logout', async () => {
      const ann = email()
      const [desk, phone] = [front.browser(), front.browser()]
      // Held before the login: still his after it.
      const url = await front.heldUrl(desk)
      expect(await (await login(desk, ` ${ann.toUpperCase()} `)).json()).toEqual({ status: 'in', next: '/orders' })
      const { number } = (await (await desk(`${url}/pay`, form(GOOD))).json()) as { number: string }
      const held = await front.heldUrl(desk)
      await login(phone, ann)
      expect(await orders(phone)).toContain(number)
      // Seats of an account are its own on its other device, too.
      expect((await phone(held)).status).toBe(200)
      await desk('/logout', form({}))
      expect(await orders(desk)).not.toContain(number)
      expect((await desk(`/orders/${number}`)).status).toBe(404)
      expect((await desk(held)).status).toBe(404)
      expect((await phone(`/orders/${number}`)).status).toBe(200)
    })

    it('is known by a signed cookie that scripts cannot read, and by another one at each login', async () => {
      const ask = (headers: Record<string, string>) =>
        fetch(`${front.shop.url}/login`, {
          ...form({ email: email(), password: 'encore' }),
          redirect: 'manual',
          headers: { origin: front.shop.url, ...headers },
        })
      const [first] = (await ask({})).headers.getSetCookie()
      expect(first).toMatch(/^box_office_session=[\w-]{43}\.[\w-]{43};.*HttpOnly; SameSite=Lax/)
      const planted = first?.split(';')[0] as string
      const [second] = (await ask({ cookie: planted })).headers.getSetCookie()
      expect(second).not.toContain(planted)
      const status = async (cookie: string) =>
        (await fetch(`${front.shop.url}/account`, { redirect: 'manual', headers: { cookie } })).status
      const forged = planted.replace(/=(.)/, (_, letter) => `=${letter === 'a' ? 'b' : 'a'}`)
      expect(await Promise.all([planted, forged, second as string].map(status))).toEqual([303, 303, 200])
      expect((await ask({ origin: 'https://elsewhere.example' })).status).toBe(403)
    })

    it('lists its devices, and logs out one, all others, and for good', async () => {
      const [ann, ben] = [email(), email()]
      const [desk, phone, tablet, stranger] = [front.browser(), front.browser(), front.browser(), front.browser()]
      for (const visit of [desk, phone, tablet]) await login(visit, ann)
      await login(stranger, ben)
      const { devices, here } = (await (await desk('/account')).json()) as { devices: { ref: string }[]; here: string }
      expect(devices).toHaveLength(3)
      const others = devices.map(({ ref }) => ref).filter((ref) => ref !== here)
      for (const ref of others) await stranger(`/account/devices/${ref}/end`, form({}))
      expect([await isIn(phone), await isIn(tablet)]).toEqual([true, true])
      await desk(`/account/devices/${others[0]}/end`, form({}))
      expect([await isIn(phone), await isIn(tablet)].sort()).toEqual([false, true])
      await desk('/account/devices/others/end', form({}))
      expect([await isIn(phone), await isIn(tablet), await isIn(desk), await isIn(stranger)]).toEqual([
        false,
        false,
        true,
        true,
      ])
      // Requests that were under way when it ended bring nothing back.
      await Promise.all([desk('/logout', form({})), desk('/account'), desk('/orders'), desk('/account')])
      expect(await isIn(desk)).toBe(false)
      expect((await desk(`/account/devices/${here}/end`, form({}))).status).toBe(401)
    })

    it('leads to pages of ours after the login, and to no others', async () => {
      for (const next of ['https://elsewhere.example', '//elsewhere.example', '/\\elsewhere.example', 'javascript:x'])
        expect(await (await login(front.browser(), email(), 'encore', next)).json()).toMatchObject({ next: '/account' })
      expect((await login(front.browser(), 'nobody')).status).toBe(400)
    })

    it('is closed for minutes to whoever guesses its password, and a right one is not counted', async () => {
      const ann = email()
      for (let i = 0; i < 7; i += 1) expect((await login(front.browser(), ann)).status).toBe(200)
      for (let i = 0; i < 5; i += 1) expect((await login(front.browser(), ann, `guess ${i}`)).status).toBe(401)
      const closed = await login(front.browser(), ann)
      expect(closed.status).toBe(429)
      expect(Number(closed.headers.get('retry-after'))).toBeGreaterThan(1)
      expect(closed.headers.get('ratelimit')).toMatch(/^"account";r=0;t=\d+, "address";r=\d+;t=\d+, "burst"/)
      expect((await login(front.browser(), email())).status).toBe(200)
    })
  })
}
