import { describe, expect, it } from 'vitest'
import { holdRequest, someSeats } from '../house.fixture.ts'
import { carefulBank } from '../payment/careful-bank.ts'
import { moodyBank } from '../payment/moody-bank.ts'
import type { Front } from './front.fixture.ts'
import { form, GOOD, json, type Visit } from './visit.fixture.ts'

interface Paid {
  readonly number: string
  readonly url: string
}

/** The routes of buy.tsx: from free seats to the order, and while the bank fails. */
export function testBuying(front: Front): void {
  describe('a customer', () => {
    it('is known by a cookie that scripts cannot read and nobody can forge', async () => {
      const answer = await fetch(`${front.shop.url}/events/${front.eventId}`)
      const cookie = answer.headers.get('set-cookie') as string
      expect(cookie).toContain('HttpOnly')
      expect(cookie).toContain('SameSite=Lax')
      const forged = cookie.split(';')[0]?.replace(/=(\w)/, (_, first) => `=${first === 'a' ? 'b' : 'a'}`) as string
      const again = await fetch(`${front.shop.url}/events/${front.eventId}`, { headers: { cookie: forged } })
      expect(again.headers.get('set-cookie')).not.toBeNull()
    })

    it('is sent no further than his own address, and downloads the receipt of what he paid', async () => {
      const [visit, stranger] = [front.browser(), front.browser()]
      const url = await front.heldUrl(visit, 2)
      const wrong = await visit(`${url}/pay`, form({ ...GOOD, email: 'no address' }))
      expect(await wrong.json()).toMatchObject({ error: { code: 'BAD_REQUEST', field: 'email' } })
      const order = (await (await visit(`${url}/pay`, form({ ...GOOD, email: 'Ann@Box.example' }))).json()) as Paid
      const state = async () => ((await (await visit(order.url)).json()) as { receipt: string }).receipt
      await expect.poll(state, { timeout: 20_000 }).toBe('sent')
      expect(await front.shop.house.receipts.book.of(order.number)).toMatchObject({
        address: 'ann@box.example',
        via: 'file',
      })
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
      const visit = front.browser()
      const url = await front.heldUrl(visit, 2)
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
      const owner = front.browser()
      const url = await front.heldUrl(owner)
      const stranger = front.browser()
      await stranger(`/events/${front.eventId}`)
      expect((await stranger(url)).status).toBe(404)
      expect((await stranger(`${url}/pay`, form(GOOD))).status).toBe(404)
      expect((await stranger(`${url}/release`, form({}))).status).toBe(404)
      const order = (await (await owner(`${url}/pay`, form(GOOD))).json()) as { url: string }
      expect((await stranger(order.url)).status).toBe(404)
    })

    it('cannot make seats his by changing the address', async () => {
      const visit = front.browser()
      const url = await front.heldUrl(visit)
      const sealed = url.split('/').at(-1) as string
      const body = JSON.parse(Buffer.from(sealed.split('.')[0] as string, 'base64url').toString())
      const forged = Buffer.from(JSON.stringify({ ...body, seats: ['A-1-1'] })).toString('base64url')
      expect((await visit(`/checkout/${forged}.${sealed.split('.')[1]}/pay`, form(GOOD))).status).toBe(404)
      expect((await visit('/checkout/nonsense')).status).toBe(404)
    })

    it('is told which seats were taken', async () => {
      const seats = await front.freeSeats(2)
      const night = await front.shop.house.nights.open(front.eventId)
      expect(night && someSeats(night, 1)).toHaveLength(1)
      if (night !== undefined) await front.shop.house.desk.hold(holdRequest(night, [seats[0] as string]))
      const answer = await front.browser()(`/events/${front.eventId}/holds`, json({ seats, key: crypto.randomUUID() }))
      expect(answer.status).toBe(409)
      expect(await answer.json()).toMatchObject({ error: { code: 'SEATS_TAKEN', taken: [seats[0]] } })
    })

    it('may try another card, and learns which field is wrong', async () => {
      const visit = front.browser()
      const url = await front.heldUrl(visit)
      const wrong = await visit(`${url}/pay`, form({ ...GOOD, expiry: '01/20' }))
      expect(wrong.status).toBe(400)
      expect(await wrong.json()).toMatchObject({ error: { code: 'CARD_INVALID', field: 'expiry' } })
      const declined = await visit(`${url}/pay`, form({ ...GOOD, number: '4000000000009995' }))
      expect(declined.status).toBe(402)
      expect(await declined.json()).toMatchObject({ error: { reason: 'insufficient-funds' } })
      expect((await visit(`${url}/pay`, form(GOOD))).status).toBe(200)
    })

    it('never finds his card number again, in SQL or on a page', async () => {
      const visit = front.browser()
      const url = await front.heldUrl(visit)
      const number = '4000000000000002'
      const page = await (
        await visit(`${url}/pay`, { ...form({ ...GOOD, number }), headers: { accept: 'text/html' } })
      ).text()
      expect(page).toContain('declined this card')
      expect(page.replaceAll(' ', '')).not.toContain(`value="${number}`)
      for (const table of ['orders', 'payments', 'test_bank', 'sales']) {
        const rows = await front.shop.house.db.query(`select t::text as row from ${table} t`)
        for (const { row } of rows) expect(row).not.toContain(number)
      }
    })
  })

  describe('while the bank fails', () => {
    const mood = (mood: string) => front.browser()('/status/bank', form({ mood }))

    it('payments are paused and seats stay held, until one that is tried goes through', async () => {
      const { payments } = front.shop.house
      const customers = Array.from({ length: 6 }, () => front.browser())
      const held: { visit: Visit; url: string }[] = []
      for (const visit of customers) held.push({ visit, url: await front.heldUrl(visit) })
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
      const { hf, testBank } = front.shop.house
      const bank = moodyBank(testBank, 60_000)
      bank.mood = 'slow'
      const careful = carefulBank(bank, hf.breaker('slow payments', { failures: 2, cooldown: '1m' }), 20)
      for (let i = 0; i < 2; i += 1)
        await expect(careful.lookup('pay_x')).rejects.toMatchObject({ name: 'TimeoutError' })
      await expect(careful.lookup('pay_x')).rejects.toMatchObject({
        name: 'BankAwayError',
        retryAfterMs: expect.any(Number),
      })
    })
  })
}
