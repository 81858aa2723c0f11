import { describe, expect, it } from 'vitest'
import type { Status } from '../figures/status.ts'
import { createNear } from '../near/near.ts'
import type { Front } from './front.fixture.ts'
import { form, GOOD } from './visit.fixture.ts'

/** The routes of browse.tsx and near.tsx: what is on, to everybody. */
export function testBrowsing(front: Front): void {
  describe('browsing', () => {
    it('answers the same page to everybody from the cache, and none from before a change', async () => {
      const look = async (cookie: string) => {
        const answer = await fetch(`${front.shop.url}/?city=Vienna&utm_source=letter`, { headers: { cookie } })
        return { status: answer.headers.get('cache-status'), html: await answer.text() }
      }
      const first = await look('')
      expect(first.status).toContain('stored')
      const second = await look('box_office_customer=somebody')
      expect(second.status).toMatch(/^Holdfast; hit/)
      expect(second.html).toBe(first.html)
      const event = (await front.shop.house.catalogue.upcoming()).find(({ city }) => city === 'Vienna')
      await front.shop.house.catalogue.move(event?.id as string, new Date('2031-05-05T19:00:00Z'))
      expect((await look('')).html).toContain('2031')
      const page = await fetch(`${front.shop.url}/events/${front.eventId}`)
      expect([page.headers.get('cache-status'), page.headers.get('cache-control')]).toEqual([null, 'no-store'])
    })

    it('finds by word, without accents or case, by city and by date', async () => {
      const count = async (query: string) =>
        [...(await (await fetch(`${front.shop.url}/?${query}`)).text()).matchAll(/class="card"/g)].length
      expect(await count('')).toBe(24)
      expect(await count('q=teatro+COLON')).toBe(2)
      expect(await count('city=Vienna')).toBe(4)
      expect(await count('q=100%25')).toBe(0)
      const [first] = await front.shop.house.catalogue.upcoming()
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
        const html: string = await (await fetch(front.shop.url + path)).text()
        seen.push(...[...html.matchAll(/href="\/events\/([\w-]+)"/g)].map(([, id]) => id as string))
        path = /class="step" href="([^"]+)" rel="next"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
      }
      expect(seen).toEqual((await front.shop.house.catalogue.upcoming()).map(({ id }) => id))
      const last = await (await fetch(`${front.shop.url}/?page=99999`)).text()
      expect(last).toMatch(/aria-current="page"[^>]*>5</)
      expect(last).not.toContain('rel="next"')
    })

    it('lists every venue that has nights', async () => {
      const pages = await Promise.all(
        [1, 2, 3].map(async (n) => (await fetch(`${front.shop.url}/venues?page=${n}`)).text()),
      )
      const ids = pages.flatMap((html) => [...html.matchAll(/href="\/venues\/([\w-]+)"/g)].map(([, id]) => id))
      expect(new Set(ids).size).toBe(60)
    })

    it('finds the venues near a city and near a position, across the antimeridian too', async () => {
      const near = async (query: string) => {
        const html = await (await fetch(`${front.shop.url}/near?${query}`)).text()
        return [...html.matchAll(/href="\/venues\/([\w-]+)"/g)].map(([, id]) => id)
      }
      // Halls of an earlier run whose last night has passed: more than are looked past.
      const gone = Array.from({ length: 40 }, (_, n) => ({ id: `gone ${n}`, lon: 16.37, lat: 48.2 }))
      await front.shop.house.hf.geo('venue').addMany(gone)
      await createNear(front.shop.house.hf, front.shop.house.catalogue).fill()
      const inVienna = await near('city=Vienna')
      expect([inVienna[0], inVienna.length]).toEqual(['musikverein', 6])
      expect((await near('lon=-0.18&lat=51.5')).slice(0, 1)).toEqual(['royal-albert-hall'])
      const [fromEast, fromWest] = [await near('lon=179.99&lat=-40'), await near('lon=-179.99&lat=-40')]
      expect(fromEast).toHaveLength(6)
      expect(fromWest).toEqual(fromEast)
      for (const query of ['', 'city=Atlantis', 'lon=181&lat=0', 'lon=0&lat=x'])
        expect((await fetch(`${front.shop.url}/near?${query}`)).status).toBe(404)
    })

    it('counts what is looked at, held and paid, and nothing of an address that is somebody’s own', async () => {
      const visit = front.browser()
      const html = { headers: { accept: 'text/html' } }
      const url = await front.heldUrl(visit)
      await visit(`/events/${front.eventId}`, html)
      await visit(url, html)
      await visit(`${url}/pay`, form(GOOD))
      const site = front.shop.house.hf.analytics('audience')
      const pages = await site.top('page', 50, { window: '1h' })
      const counted = pages.map(({ item }) => item)
      expect(counted).toEqual(expect.arrayContaining([`/events/${front.eventId}`, '/checkout', '/near']))
      expect(counted.filter((path) => path.startsWith('/checkout/'))).toEqual([])
      const steps = await site.funnel(['seats_held', 'order_paid'], { window: '1h' })
      expect(steps.every(({ visitors }) => visitors > 0)).toBe(true)
      const wanted = async () => {
        const status = (await (await fetch(`${front.shop.url}/status.json`)).json()) as Status
        return status.audience.wanted.map(({ id }) => id)
      }
      await expect.poll(wanted).toContain(front.eventId)
    })

    it('reads what others have asked for from the cache', async () => {
      await fetch(`${front.shop.url}/?q=trio`)
      const before = front.shop.house.figures.of('cacheLoads')
      for (let i = 0; i < 5; i += 1) await fetch(`${front.shop.url}/?q=trio`)
      expect(front.shop.house.figures.of('cacheLoads')).toBe(before)
    })

    it('shows what was typed as text, never as markup', async () => {
      const html = await (
        await fetch(`${front.shop.url}/?q=${encodeURIComponent('"><img src=x onerror=alert(1)>')}`)
      ).text()
      expect(html).not.toContain('<img')
      expect(html).toContain('&lt;img')
    })

    it('shows a change as soon as it was made', async () => {
      const [, event] = await front.shop.house.catalogue.upcoming()
      const before = await (await fetch(`${front.shop.url}/events/${event?.id}`)).text()
      await front.shop.house.catalogue.move(event?.id as string, new Date('2033-05-05T18:00:00Z'))
      const after = await (await fetch(`${front.shop.url}/events/${event?.id}`)).text()
      expect(before).not.toContain('5 May 2033')
      expect(after).toContain('5 May 2033')
    })

    it('answers for what does not exist, as a page and as JSON', async () => {
      for (const path of ['/events/none', '/venues/none', '/orders/BX-0000-0000', '/none', '/events/none/live']) {
        expect((await fetch(`${front.shop.url}${path}`)).status).toBe(404)
        const answer = await fetch(`${front.shop.url}${path}`, { headers: { accept: 'application/json' } })
        expect(await answer.json()).toMatchObject({ error: { code: 'NOT_FOUND' } })
      }
    })
  })
}
