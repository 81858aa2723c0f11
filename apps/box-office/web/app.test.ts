import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { testAccount } from './account.suite.ts'
import { testBrowsing } from './browsing.suite.ts'
import { testBuying } from './buying.suite.ts'
import { Front } from './front.fixture.ts'
import { apiLimiter } from './limits.ts'
import { askFrom, form, GOOD, json } from './visit.fixture.ts'

// One shop for all of it, for starting another takes longer than all that is asked of it.
const front = new Front()

describe('every answer', () => {
  it('forbids inline scripts, other origins and frames, on pages, errors and files', async () => {
    for (const path of ['/', '/nothing', `/events/${front.eventId}`, '/assets/client.js', '/status.json']) {
      const answer = await fetch(`${front.shop.url}${path}`)
      const policy = answer.headers.get('content-security-policy') ?? ''
      expect([path, policy]).toEqual([path, expect.stringContaining("script-src 'self'")])
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toContain('unsafe')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('has no inline script, style or handler that the policy would refuse', async () => {
    const night = await front.shop.house.nights.open(front.eventId)
    expect(night).toBeDefined()
    for (const path of [
      '/',
      `/events/${front.eventId}`,
      '/orders',
      '/status',
      '/report',
      '/venues/la-scala',
      '/near?city=Vienna',
    ]) {
      const html = await (await fetch(`${front.shop.url}${path}`)).text()
      expect(html).toMatch(/^<!doctype html>/)
      expect(html).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/)
    }
  })

  it('is for this host alone', async () => {
    const status = await new Promise((resolve, reject) => {
      const { port } = new URL(front.shop.url)
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
    const visit = front.browser()
    const path = `/events/${front.eventId}/holds`
    const answers = [
      await visit(path, { ...hold(), headers: { ...hold().headers, origin: 'https://elsewhere.example' } }),
      await visit(path, { ...hold(), headers: { ...hold().headers, 'sec-fetch-site': 'cross-site' } }),
      await visit(path, { ...hold(), headers: { ...hold().headers, 'sec-fetch-site': 'same-site' } }),
      await fetch(`${front.shop.url}${path}`, { ...hold(), headers: { accept: 'application/json' } }),
    ]
    for (const answer of answers) {
      expect(answer.status).toBe(403)
      expect(await answer.json()).toMatchObject({ error: { code: 'FORBIDDEN_ORIGIN' } })
    }
  })

  it('may not be large', async () => {
    const answer = await front.browser()(`/events/${front.eventId}/holds`, json({ seats: ['x'.repeat(20_000)] }))
    expect(answer.status).toBe(413)
  })

  it('is told by name what is wrong with it', async () => {
    const visit = front.browser()
    const attempt = async (body: unknown) => (await visit(`/events/${front.eventId}/holds`, json(body))).status
    expect(await attempt({})).toBe(400)
    expect(await attempt({ seats: [], key: 'some-key-1' })).toBe(400)
    expect(await attempt({ seats: [7], key: 'some-key-1' })).toBe(400)
    expect(await attempt({ seats: ["A-1-1'; drop table sales"], key: 'some-key-1' })).toBe(400)
    expect(await attempt({ seats: ['A-1-1'], key: '<script>' })).toBe(400)
    expect((await visit(`/events/${front.eventId}/holds`, { ...json({}), body: '{' })).status).toBe(400)
    expect((await visit('/events/%00')).status).toBe(404)
    expect((await visit('/events/none/holds', json({ seats: ['A-1-1'], key: 'some-key-1' }))).status).toBe(404)
  })
})

testBuying(front)
testBrowsing(front)
testAccount(front)

describe('an address', () => {
  const from = (address: string, method: 'GET' | 'POST', path: string, fields: Record<string, string> = {}) =>
    askFrom(address, front.shop.url + path, method, fields)

  it('asks so often and no more; each answer says how much is left; pages are looked at all the same', async () => {
    const { hf } = front.shop.house
    const first = await from('127.0.0.2', 'POST', '/logout')
    expect(first.headers['ratelimit-policy']).toBe('"burst";q=300;w=10, "hour";q=20000;w=3600')
    expect(first.headers.ratelimit).toMatch(/^"burst";r=299;t=\d+, "hour";r=19999;t=\d+$/)
    await apiLimiter(hf).block('127.0.0.2', '5s')
    const refused = await from('127.0.0.2', 'POST', '/logout')
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '5'])
    expect((await from('127.0.0.2', 'GET', '/')).status).toBe(200)
    expect((await from('127.0.0.3', 'POST', '/logout')).status).toBe(200)
    expect(front.shop.house.figures.of('limited')).toBeGreaterThan(0)
  })

  it('tries so many accounts and no more', async () => {
    const guess = (n: number) => from('127.0.0.4', 'POST', '/login', { email: `${n}@example.com`, password: 'guess' })
    const first = await Promise.all(Array.from({ length: 30 }, (_, n) => guess(n)))
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([401]))
    expect((await guess(31)).status).toBe(429)
  })
})

it('reports by a schedule and when it is asked to: what was sold, who looked, and who was refused', async () => {
  const { reports } = front.shop.house
  const names = (await reports.schedules()).map(({ id }) => id).sort()
  expect(names).toEqual(['nightly report', 'report so far'])
  const visit = front.browser()
  const url = await front.heldUrl(visit, 2)
  expect((await visit(`${url}/pay`, form(GOOD))).status).toBe(200)
  await front.shop.house.hf.analytics('audience').flush()
  const { id } = (await (await visit('/report', { method: 'POST' })).json()) as { id: string }
  await expect.poll(() => reports.read(id), { timeout: 20_000 }).toBeDefined()
  const made = await reports.read(id)
  const [row] = await front.shop.house.db.query<{ seats: number; revenue: bigint }>(
    'select count(*)::int as seats, sum(price)::bigint as revenue from sales where event_id = $1',
    [front.eventId],
  )
  expect(made?.report.nights).toContainEqual(expect.objectContaining({ id: front.eventId, ...row }))
  expect(made?.report.pages).toContainEqual({ path: '/status', views: expect.any(Number) })
  expect(made?.report.refused.map(({ limit }) => limit).sort()).toEqual(['api', 'login'])
  // Under one name it is one letter, and what was read is what was written.
  const texts = await front.shop.house.post.files.read()
  expect([...texts.values()].some((text) => text.includes('Refused by limits'))).toBe(true)
})

it('met no fault in all of this', () => {
  expect(front.faults).toEqual([])
})
