import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Status } from '../figures/status.ts'
import { holdRequest, someSeats } from '../house.fixture.ts'
import { createNear } from '../near/near.ts'
import { carefulBank } from '../payment/careful-bank.ts'
import { moodyBank } from '../payment/moody-bank.ts'
import { type OpenShop, openShop } from '../shop.ts'
import { apiLimiter } from './limits.ts'
import { askFrom, form, GOOD, json, type Visit, visitOf } from './visit.fixture.ts'

let shop: OpenShop
let eventId: string
const faults: unknown[] = []

beforeAll(async () => {
  shop = await openShop({
    ...{ port: 0, crowd: 0, redis: undefined, dataDir: undefined, onFault: (e) => faults.push(e) },
    // As long as a test takes: it is ended by hand.
    payments: { cooldownMs: 120_000 },
  })
  eventId = (await shop.house.catalogue.upcoming())[0]?.id as string
})
afterAll(() => shop.stop())

interface Paid {
  readonly number: string
  readonly url: string
}

const browser = (): Visit => visitOf(shop.url)

async function freeSeats(count: number): Promise<string[]> {
  const night = await shop.house.nights.open(eventId)
  const free = (await night?.seats.map())?.seats.filter((seat) => seat.state === 'free') ?? []
  return free.slice(0, count).map((seat) => seat.id)
}

async function heldUrl(visit: Visit, count = 1): Promise<string> {
  const seats = await freeSeats(count)
  const answer = await visit(`/events/${eventId}/holds`, json({ seats, key: crypto.randomUUID() }))
  expect(answer.status).toBe(201)
  return ((await answer.json()) as { url: string }).url
}

describe('every answer', () => {
  it('forbids inline scripts, other origins and frames, on pages, errors and files', async () => {
    for (const path of ['/', '/nothing', `/events/${eventId}`, '/assets/client.js', '/status.json']) {
      const answer = await fetch(`${shop.url}${path}`)
      const policy = answer.headers.get('content-security-policy') ?? ''
      expect([path, policy]).toEqual([path, expect.stringContaining("script-src 'self'")])
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toContain('unsafe')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('has no inline script, style or handler that the policy would refuse', async () => {
    const night = await shop.house.nights.open(eventId)
    expect(night).toBeDefined()
    for (const path of [
      '/',
      `/events/${eventId}`,
      '/orders',
      '/status',
      '/report',
      '/venues/la-scala',
      '/near?city=Vienna',
    ]) {
      const html = await (await fetch(`${shop.url}${path}`)).text()
      expect(html).toMatch(/^<!doctype html>/)
      expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/)
    }
  })

  it('is for this host alone', async () => {
    const status = await new Promise((resolve, reject) => {
      const { port } = new URL(shop.url)
      request({ port, host: '127.0.0.1', path: '/', headers: { host: 'tickets.example' } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(421)
  })
})

describe('a write', () => {
  const hold = () => json({ seats: ['A-1-1'], key: 'some-key-1' })

  it('is refused from another origin, from another site, and from nowhere', async () => {
    const visit = browser()
    const path = `/events/${eventId}/holds`
    const answers = [
      await visit(path, { ...hold(), headers: { ...hold().headers, origin: 'https://elsewhere.example' } }),
      await visit(path, { ...hold(), headers: { ...hold().headers, 'sec-fetch-site': 'cross-site' } }),
      await visit(path, { ...hold(), headers: { ...hold().headers, 'sec-fetch-site': 'same-site' } }),
      await fetch(`${shop.url}${path}`, { ...hold(), headers: { accept: 'application/json' } }),
    ]
    for (const answer of answers) {
      expect(answer.status).toBe(403)
      expect(await answer.json()).toMatchObject({ error: { code: 'FORBIDDEN_ORIGIN' } })
    }
  })

  it('may not be large', async () => {
    const answer = await browser()(`/events/${eventId}/holds`, json({ seats: ['x'.repeat(20_000)] }))
    expect(answer.status).toBe(413)
  })

  it('is told by name what is wrong with it', async () => {
    const visit = browser()
    const attempt = async (body: unknown) => (await visit(`/events/${eventId}/holds`, json(body))).status
    expect(await attempt({})).toBe(400)
    expect(await attempt({ seats: [], key: 'some-key-1' })).toBe(400)
    expect(await attempt({ seats: [7], key: 'some-key-1' })).toBe(400)
    expect(await attempt({ seats: ["A-1-1'; drop table sales"], key: 'some-key-1' })).toBe(400)
    expect(await attempt({ seats: ['A-1-1'], key: '<script>' })).toBe(400)
    expect((await visit(`/events/${eventId}/holds`, { ...json({}), body: '{' })).status).toBe(400)
    expect((await visit('/events/%00')).status).toBe(404)
    expect((await visit('/events/none/holds', json({ seats: ['A-1-1'], key: 'some-key-1' }))).status).toBe(404)
  })
})

describe('a customer', () => {
  it('is known by a cookie that scripts cannot read and nobody can forge', async () => {
    const answer = await fetch(`${shop.url}/events/${eventId}`)
    const cookie = answer.headers.get('set-cookie') as string
    expect(cookie).toContain('HttpOnly')
    expect(cookie).toContain('SameSite=Lax')
    const forged = cookie.split(';')[0]?.replace(/=(\w)/, (_, first) => `=${first === 'a' ? 'b' : 'a'}`) as string
    const again = await fetch(`${shop.url}/events/${eventId}`, { headers: { cookie: forged } })
    expect(again.headers.get('set-cookie')).not.toBeNull()
  })

  it('is sent no further than his own address, and downloads the receipt of what he paid', async () => {
    const [visit, stranger] = [browser(), browser()]
    const url = await heldUrl(visit, 2)
    const wrong = await visit(`${url}/pay`, form({ ...GOOD, email: 'no address' }))
    expect(await wrong.json()).toMatchObject({ error: { code: 'BAD_REQUEST', field: 'email' } })
    const order = (await (await visit(`${url}/pay`, form({ ...GOOD, email: 'Ann@Box.example' }))).json()) as Paid
    const state = async () => ((await (await visit(order.url)).json()) as { receipt: string }).receipt
    await expect.poll(state, { timeout: 20_000 }).toBe('sent')
    expect(await shop.house.receipts.book.of(order.number)).toMatchObject({ address: 'ann@box.example', via: 'file' })
    const page = await (await visit(order.url, { headers: { accept: 'text/html' } })).text()
    expect(page).toContain('The receipt is ready.')
    for (const [kind, type] of [
      ['html', 'text/html'],
      ['txt', 'text/plain'],
    ]) {
      const file = await visit(`${order.url}/receipt.${kind}`)
      expect(file.headers.get('content-type')).toContain(type)
      expect(file.headers.get('content-disposition')).toContain(`receipt-${order.number}.${kind}`)
      expect(await file.text()).toContain('Total, 2 seats')
    }
    expect((await stranger(`${order.url}/receipt.txt`)).status).toBe(404)
  })

  it('holds, pays and finds the order among his own', async () => {
    const visit = browser()
    const url = await heldUrl(visit, 2)
    expect((await visit(url)).status).toBe(200)
    const paid = await visit(`${url}/pay`, form(GOOD))
    expect(await paid.json()).toMatchObject({ status: 'paid', number: expect.stringMatching(/^BX-/) })
    const again = (await (await visit(`${url}/pay`, form(GOOD))).json()) as { number: string; url: string }
    expect(again).toMatchObject({ status: 'paid' })
    const page = await (await visit(again.url, { headers: { accept: 'text/html' } })).text()
    expect(page).toContain(again.number)
    expect(await (await visit('/orders', { headers: { accept: 'text/html' } })).text()).toContain(again.number)
  })

  it('sees nobody else’s order or seats', async () => {
    const owner = browser()
    const url = await heldUrl(owner)
    const stranger = browser()
    await stranger(`/events/${eventId}`)
    expect((await stranger(url)).status).toBe(404)
    expect((await stranger(`${url}/pay`, form(GOOD))).status).toBe(404)
    expect((await stranger(`${url}/release`, form({}))).status).toBe(404)
    const order = (await (await owner(`${url}/pay`, form(GOOD))).json()) as { url: string }
    expect((await stranger(order.url)).status).toBe(404)
  })

  it('cannot make seats his by changing the address', async () => {
    const visit = browser()
    const url = await heldUrl(visit)
    const sealed = url.split('/').at(-1) as string
    const body = JSON.parse(Buffer.from(sealed.split('.')[0] as string, 'base64url').toString())
    const forged = Buffer.from(JSON.stringify({ ...body, seats: ['A-1-1'] })).toString('base64url')
    expect((await visit(`/checkout/${forged}.${sealed.split('.')[1]}/pay`, form(GOOD))).status).toBe(404)
    expect((await visit('/checkout/nonsense')).status).toBe(404)
  })

  it('is told which seats were taken', async () => {
    const seats = await freeSeats(2)
    const night = await shop.house.nights.open(eventId)
    expect(night && someSeats(night, 1)).toHaveLength(1)
    if (night !== undefined) await shop.house.desk.hold(holdRequest(night, [seats[0] as string]))
    const answer = await browser()(`/events/${eventId}/holds`, json({ seats, key: crypto.randomUUID() }))
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ error: { code: 'SEATS_TAKEN', taken: [seats[0]] } })
  })

  it('may try another card, and learns which field is wrong', async () => {
    const visit = browser()
    const url = await heldUrl(visit)
    const wrong = await visit(`${url}/pay`, form({ ...GOOD, expiry: '01/20' }))
    expect(wrong.status).toBe(400)
    expect(await wrong.json()).toMatchObject({ error: { code: 'CARD_INVALID', field: 'expiry' } })
    const declined = await visit(`${url}/pay`, form({ ...GOOD, number: '4000000000009995' }))
    expect(declined.status).toBe(402)
    expect(await declined.json()).toMatchObject({ error: { reason: 'insufficient-funds' } })
    expect((await visit(`${url}/pay`, form(GOOD))).status).toBe(200)
  })

  it('never finds his card number again, in SQL or on a page', async () => {
    const visit = browser()
    const url = await heldUrl(visit)
    const number = '4000000000000002'
    const page = await (
      await visit(`${url}/pay`, { ...form({ ...GOOD, number }), headers: { accept: 'text/html' } })
    ).text()
    expect(page).toContain('declined this card')
    expect(page.replaceAll(' ', '')).not.toContain(`value="${number}`)
    for (const table of ['orders', 'payments', 'test_bank', 'sales']) {
      const rows = await shop.house.db.query(`select t::text as row from ${table} t`)
      for (const { row } of rows) expect(row).not.toContain(number)
    }
  })
})

describe('while the bank fails', () => {
  const mood = (mood: string) => browser()('/status/bank', form({ mood }))

  it('payments are paused and seats stay held, until one that is tried goes through', async () => {
    const { payments } = shop.house
    const customers = Array.from({ length: 6 }, browser)
    const held: { visit: Visit; url: string }[] = []
    for (const visit of customers) held.push({ visit, url: await heldUrl(visit) })
    expect((await mood('gone')).status).toBe(400)
    expect((await mood('failing')).status).toBe(200)
    for (const { visit, url } of held) {
      const answer = await visit(`${url}/pay`, form(GOOD))
      expect([answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([503, true])
      const { error } = (await answer.json()) as { error: { code: string; heldUntilMs: number } }
      expect([error.code, error.heldUntilMs > Date.now()]).toEqual(['PAYMENTS_PAUSED', true])
    }
    // The sixth did not reach the bank.
    expect([payments.stats.state, payments.stats.failed, payments.stats.refused]).toEqual(['open', 5, 1])
    const [{ visit, url }] = held as [(typeof held)[number]]
    const page = await (await visit(url, { headers: { accept: 'text/html' } })).text()
    expect(page).toMatch(/data-paused[^>]*>Payments are paused for a moment. Your seats are held until \d\d:\d\d UTC/)
    expect(page).not.toMatch(/data-paused[^>]* hidden/)

    await mood('well')
    // The cooldown is over: the next payment is the trial.
    await payments.trip(1)
    await expect.poll(() => payments.state()).toBe('half-open')
    for (const { visit, url } of held) expect((await visit(`${url}/pay`, form(GOOD))).status).toBe(200)
    expect(await payments.state()).toBe('closed')
    expect(await (await visit('/payments.json')).json()).toEqual({ state: 'closed' })
  })

  it('and says nothing, it is not waited for, and then not asked', async () => {
    const { hf, testBank } = shop.house
    const bank = moodyBank(testBank, 60_000)
    bank.mood = 'slow'
    const careful = carefulBank(bank, hf.breaker('slow payments', { failures: 2, cooldown: '1m' }), 20)
    for (let i = 0; i < 2; i += 1) await expect(careful.lookup('pay_x')).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect(careful.lookup('pay_x')).rejects.toMatchObject({
      name: 'BankAwayError',
      retryAfterMs: expect.any(Number),
    })
  })
})

describe('browsing', () => {
  it('answers the same page to everybody from the cache, and none from before a change', async () => {
    const look = async (cookie: string) => {
      const answer = await fetch(`${shop.url}/?city=Vienna&utm_source=letter`, { headers: { cookie } })
      return { status: answer.headers.get('cache-status'), html: await answer.text() }
    }
    const first = await look('')
    expect(first.status).toContain('stored')
    const second = await look('box_office_customer=somebody')
    expect(second.status).toMatch(/^Holdfast; hit/)
    expect(second.html).toBe(first.html)
    const event = (await shop.house.catalogue.upcoming()).find(({ city }) => city === 'Vienna')
    await shop.house.catalogue.move(event?.id as string, new Date('2031-05-05T19:00:00Z'))
    expect((await look('')).html).toContain('2031')
    const page = await fetch(`${shop.url}/events/${eventId}`)
    expect([page.headers.get('cache-status'), page.headers.get('cache-control')]).toEqual([null, 'no-store'])
  })

  it('finds by word, without accents or case, by city and by date', async () => {
    const count = async (query: string) =>
      [...(await (await fetch(`${shop.url}/?${query}`)).text()).matchAll(/class="card"/g)].length
    expect(await count('')).toBe(24)
    expect(await count('q=teatro+COLON')).toBe(2)
    expect(await count('city=Vienna')).toBe(4)
    expect(await count('q=100%25')).toBe(0)
    const [first] = await shop.house.catalogue.upcoming()
    const day = new Intl.DateTimeFormat('en-CA', { timeZone: first?.zone as string }).format(first?.startsAt)
    expect(await count(`from=${day}&to=${day}&city=${encodeURIComponent(first?.city as string)}`)).toBeGreaterThan(0)
    expect(await count('from=2999-01-01')).toBe(0)
    expect(await count('to=2001-01-01')).toBe(0)
    expect(await count('from=2027-02-31')).toBe(24)
    expect(await count('q=no-such-artist-anywhere')).toBe(0)
  })

  it('goes from page to page, through every night once', async () => {
    const seen: string[] = []
    for (let path: string | undefined = '/'; path !== undefined; ) {
      const html: string = await (await fetch(shop.url + path)).text()
      seen.push(...[...html.matchAll(/href="\/events\/([\w-]+)"/g)].map(([, id]) => id as string))
      path = /class="step" href="([^"]+)" rel="next"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
    }
    expect(seen).toEqual((await shop.house.catalogue.upcoming()).map(({ id }) => id))
    const last = await (await fetch(`${shop.url}/?page=99999`)).text()
    expect(last).toMatch(/aria-current="page"[^>]*>5</)
    expect(last).not.toContain('rel="next"')
  })

  it('lists every venue that has nights', async () => {
    const pages = await Promise.all([1, 2, 3].map(async (n) => (await fetch(`${shop.url}/venues?page=${n}`)).text()))
    const ids = pages.flatMap((html) => [...html.matchAll(/href="\/venues\/([\w-]+)"/g)].map(([, id]) => id))
    expect(new Set(ids).size).toBe(60)
  })

  it('finds the venues near a city and near a position, across the antimeridian too', async () => {
    const near = async (query: string) => {
      const html = await (await fetch(`${shop.url}/near?${query}`)).text()
      return [...html.matchAll(/href="\/venues\/([\w-]+)"/g)].map(([, id]) => id)
    }
    // Halls of an earlier run whose last night has passed: more than are looked past.
    const gone = Array.from({ length: 40 }, (_, n) => ({ id: `gone ${n}`, lon: 16.37, lat: 48.2 }))
    await shop.house.hf.geo('venue').addMany(gone)
    await createNear(shop.house.hf, shop.house.catalogue).fill()
    const inVienna = await near('city=Vienna')
    expect([inVienna[0], inVienna.length]).toEqual(['musikverein', 6])
    expect((await near('lon=-0.18&lat=51.5')).slice(0, 1)).toEqual(['royal-albert-hall'])
    const [fromEast, fromWest] = [await near('lon=179.99&lat=-40'), await near('lon=-179.99&lat=-40')]
    expect(fromEast).toHaveLength(6)
    expect(fromWest).toEqual(fromEast)
    for (const query of ['', 'city=Atlantis', 'lon=181&lat=0', 'lon=0&lat=x'])
      expect((await fetch(`${shop.url}/near?${query}`)).status).toBe(404)
  })

  it('counts what is looked at, held and paid, and nothing of an address that is somebody’s own', async () => {
    const visit = browser()
    const html = { headers: { accept: 'text/html' } }
    const url = await heldUrl(visit)
    await visit(`/events/${eventId}`, html)
    await visit(url, html)
    await visit(`${url}/pay`, form(GOOD))
    const site = shop.house.hf.analytics('audience')
    const pages = await site.top('page', 50, { window: '1h' })
    const counted = pages.map(({ item }) => item)
    expect(counted).toEqual(expect.arrayContaining([`/events/${eventId}`, '/checkout', '/near']))
    expect(counted.filter((path) => path.startsWith('/checkout/'))).toEqual([])
    const steps = await site.funnel(['seats_held', 'order_paid'], { window: '1h' })
    expect(steps.every(({ visitors }) => visitors > 0)).toBe(true)
    const wanted = async () => {
      const status = (await (await fetch(`${shop.url}/status.json`)).json()) as Status
      return status.audience.wanted.map(({ id }) => id)
    }
    await expect.poll(wanted).toContain(eventId)
  })

  it('reads what others have asked for from the cache', async () => {
    await fetch(`${shop.url}/?q=trio`)
    const before = shop.house.figures.of('cacheLoads')
    for (let i = 0; i < 5; i += 1) await fetch(`${shop.url}/?q=trio`)
    expect(shop.house.figures.of('cacheLoads')).toBe(before)
  })

  it('shows what was typed as text, never as markup', async () => {
    const html = await (await fetch(`${shop.url}/?q=${encodeURIComponent('"><img src=x onerror=alert(1)>')}`)).text()
    expect(html).not.toContain('<img')
    expect(html).toContain('&lt;img')
  })

  it('shows a change as soon as it was made', async () => {
    const [, event] = await shop.house.catalogue.upcoming()
    const before = await (await fetch(`${shop.url}/events/${event?.id}`)).text()
    await shop.house.catalogue.move(event?.id as string, new Date('2033-05-05T18:00:00Z'))
    const after = await (await fetch(`${shop.url}/events/${event?.id}`)).text()
    expect(before).not.toContain('5 May 2033')
    expect(after).toContain('5 May 2033')
  })

  it('answers for what does not exist, as a page and as JSON', async () => {
    for (const path of ['/events/none', '/venues/none', '/orders/BX-0000-0000', '/none', '/events/none/live']) {
      expect((await fetch(`${shop.url}${path}`)).status).toBe(404)
      const answer = await fetch(`${shop.url}${path}`, { headers: { accept: 'application/json' } })
      expect(await answer.json()).toMatchObject({ error: { code: 'NOT_FOUND' } })
    }
  })
})

describe('an account', () => {
  const email = () => `${crypto.randomUUID()}@example.com`
  const login = (visit: Visit, who: string, password = 'encore', next = '/orders') =>
    visit('/login', form({ email: who, password, next }))
  const orders = async (visit: Visit) => (await visit('/orders', { headers: { accept: 'text/html' } })).text()
  const isIn = async (visit: Visit) => (await visit('/account')).status === 200

  it('has what is bought while one is logged in, on each of its devices and in no browser after the logout', async () => {
    const ann = email()
    const [desk, phone] = [browser(), browser()]
    // Held before the login: still his after it.
    const url = await heldUrl(desk)
    expect(await (await login(desk, ` ${ann.toUpperCase()} `)).json()).toEqual({ status: 'in', next: '/orders' })
    const { number } = (await (await desk(`${url}/pay`, form(GOOD))).json()) as { number: string }
    const held = await heldUrl(desk)
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
      fetch(`${shop.url}/login`, {
        ...form({ email: email(), password: 'encore' }),
        redirect: 'manual',
        headers: { origin: shop.url, ...headers },
      })
    const [first] = (await ask({})).headers.getSetCookie()
    expect(first).toMatch(/^box_office_session=[\w-]{43}\.[\w-]{43};.*HttpOnly; SameSite=Lax/)
    const planted = first?.split(';')[0] as string
    const [second] = (await ask({ cookie: planted })).headers.getSetCookie()
    expect(second).not.toContain(planted)
    const status = async (cookie: string) =>
      (await fetch(`${shop.url}/account`, { redirect: 'manual', headers: { cookie } })).status
    const forged = planted.replace(/=(.)/, (_, letter) => `=${letter === 'a' ? 'b' : 'a'}`)
    expect(await Promise.all([planted, forged, second as string].map(status))).toEqual([303, 303, 200])
    expect((await ask({ origin: 'https://elsewhere.example' })).status).toBe(403)
  })

  it('lists its devices, and logs out one, all others, and for good', async () => {
    const [ann, ben] = [email(), email()]
    const [desk, phone, tablet, stranger] = [browser(), browser(), browser(), browser()]
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
      expect(await (await login(browser(), email(), 'encore', next)).json()).toMatchObject({ next: '/account' })
    expect((await login(browser(), 'nobody')).status).toBe(400)
  })

  it('is closed for minutes to whoever guesses its password, and a right one is not counted', async () => {
    const ann = email()
    for (let i = 0; i < 7; i += 1) expect((await login(browser(), ann)).status).toBe(200)
    for (let i = 0; i < 5; i += 1) expect((await login(browser(), ann, `guess ${i}`)).status).toBe(401)
    const closed = await login(browser(), ann)
    expect(closed.status).toBe(429)
    expect(Number(closed.headers.get('retry-after'))).toBeGreaterThan(1)
    expect(closed.headers.get('ratelimit')).toMatch(/^"account";r=0;t=\d+, "address";r=\d+;t=\d+, "burst"/)
    expect((await login(browser(), email())).status).toBe(200)
  })
})

describe('an address', () => {
  const from = (address: string, method: 'GET' | 'POST', path: string, fields: Record<string, string> = {}) =>
    askFrom(address, shop.url + path, method, fields)

  it('asks so often and no more; each answer says how much is left; pages are looked at all the same', async () => {
    const { hf } = shop.house
    const first = await from('127.0.0.2', 'POST', '/logout')
    expect(first.headers['ratelimit-policy']).toBe('"burst";q=300;w=10, "hour";q=20000;w=3600')
    expect(first.headers.ratelimit).toMatch(/^"burst";r=299;t=\d+, "hour";r=19999;t=\d+$/)
    await apiLimiter(hf).block('127.0.0.2', '5s')
    const refused = await from('127.0.0.2', 'POST', '/logout')
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '5'])
    expect((await from('127.0.0.2', 'GET', '/')).status).toBe(200)
    expect((await from('127.0.0.3', 'POST', '/logout')).status).toBe(200)
    expect(shop.house.figures.of('limited')).toBeGreaterThan(0)
  })

  it('tries so many accounts and no more', async () => {
    const guess = (n: number) => from('127.0.0.4', 'POST', '/login', { email: `${n}@example.com`, password: 'guess' })
    const first = await Promise.all(Array.from({ length: 30 }, (_, n) => guess(n)))
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([401]))
    expect((await guess(31)).status).toBe(429)
  })
})

it('reports by a schedule and when it is asked to: what was sold, who looked, and who was refused', async () => {
  const { reports } = shop.house
  const names = (await reports.schedules()).map(({ id }) => id).sort()
  expect(names).toEqual(['nightly report', 'report so far'])
  const visit = browser()
  const url = await heldUrl(visit, 2)
  expect((await visit(`${url}/pay`, form(GOOD))).status).toBe(200)
  await shop.house.hf.analytics('audience').flush()
  const { id } = (await (await visit('/report', { method: 'POST' })).json()) as { id: string }
  await expect.poll(() => reports.read(id), { timeout: 20_000 }).toBeDefined()
  const made = await reports.read(id)
  const [row] = await shop.house.db.query<{ seats: number; revenue: bigint }>(
    'select count(*)::int as seats, sum(price)::bigint as revenue from sales where event_id = $1',
    [eventId],
  )
  expect(made?.report.nights).toContainEqual(expect.objectContaining({ id: eventId, ...row }))
  expect(made?.report.pages).toContainEqual({ path: '/status', views: expect.any(Number) })
  expect(made?.report.refused.map(({ limit }) => limit).sort()).toEqual(['api', 'login'])
  // Under one name it is one letter, and what was read is what was written.
  const texts = await shop.house.post.files.read()
  expect([...texts.values()].some((text) => text.includes('Refused by limits'))).toBe(true)
})

it('met no fault in all of this', () => {
  expect(faults).toEqual([])
})
