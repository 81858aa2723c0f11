import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { HOSTILE_COUNT, HOSTILE_NAMES, hostileFile } from '../own-events/hostile.fixture.ts'
import { takeEvents } from '../own-events/report.ts'
import { type OpenShop, openShop } from '../shop.ts'
import { CHROMIUM, complaintsOf, openBrowser, pageTests, sidewaysScroll } from './browser.fixture.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

let shop: OpenShop
let browser: Browser
let folder: string
const said: string[] = []

describe.skipIf(CHROMIUM === undefined)(pageTests('pages of own events with hostile names'), () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'own-events-'))
    const file = join(folder, 'hostile.csv')
    await writeFile(file, hostileFile())
    vi.spyOn(console, 'error').mockImplementation((line) => void said.push(String(line)))
    shop = await openShop({
      ...{ port: 0, crowd: 0, redis: undefined, dataDir: undefined, onFault: (error) => said.push(String(error)) },
      fill: (house) => takeEvents(file, house.db),
    })
    browser = await openBrowser()
  })
  afterAll(async () => {
    vi.restoreAllMocks()
    await browser?.close()
    await shop?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function onPage(options: BrowserContextOptions, visit: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const complaints = complaintsOf(page)
    const dialogs: string[] = []
    page.on('dialog', async (dialog) => {
      dialogs.push(dialog.message())
      await dialog.dismiss()
    })
    await visit(page)
    expect([complaints, dialogs]).toEqual([[], []])
    await context.close()
  }

  it('sell every one of them', () => {
    expect(said).toEqual([
      `hostile.csv: ${HOSTILE_COUNT} events read, ${HOSTILE_COUNT} are on sale, 0 refused, 0 repeated.`,
    ])
  })

  it('show each name as it is written, on the list, the night and the venue, and nothing else', async () => {
    await onPage({ viewport: { width: 360, height: 740 } }, async (page) => {
      await page.goto(shop.url)
      expect(await page.locator('.card h3').allTextContents()).toEqual(HOSTILE_NAMES)
      expect(await page.locator('main script, main img, main iframe').count()).toBe(0)
      expect(await sidewaysScroll(page)).toBe(0)
      const events = await shop.house.catalogue.upcoming()
      // Markup, right to left, marks upon marks, one long word, many words.
      for (const index of [0, 8, 10, 12, 13]) {
        const event = events[index] as (typeof events)[number]
        await page.goto(`${shop.url}/events/${event.id}`)
        expect(await page.getByRole('heading', { level: 1 }).allTextContents()).toEqual([HOSTILE_NAMES[index]])
        expect([event.id, await sidewaysScroll(page)]).toEqual([event.id, 0])
      }
      await page.getByRole('link', { name: HOSTILE_NAMES.at(-1) as string, exact: true }).click()
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(HOSTILE_NAMES.at(-1))
      expect(await sidewaysScroll(page)).toBe(0)
    })
  })

  it('find them as one types, from the first page, and say when nothing fits', async () => {
    await onPage({}, async (page) => {
      await page.goto(`${shop.url}/venues`)
      await page.getByRole('link', { name: 'Events', exact: true }).click()
      const field = page.getByLabel('Search', { exact: true })
      await field.pressSequentially('東京')
      await page.getByText('1 event found.').waitFor()
      expect(await page.locator('.card').count()).toBe(1)
      expect(new URL(page.url()).search).toBe(`?q=${encodeURIComponent('東京')}`)
      await field.fill('<script>')
      await page.getByText('1 event found.').waitFor()
      await field.fill('nothing like it 100%')
      await page.getByText('Nothing fits.').waitFor()
      await page.getByRole('link', { name: 'See all events' }).click()
      await page.locator('.card').first().waitFor()
      await page.getByLabel('City').selectOption('Köln <b>')
      await page.getByText(`${HOSTILE_COUNT} events found.`).waitFor()
      await page.getByLabel('From').fill('2031-02-20')
      await page.getByText(`${HOSTILE_COUNT - 10} events found.`).waitFor()
      await page.getByLabel('To').fill('2031-02-21')
      await page.getByText('2 events found.').waitFor()
      await page.reload()
      expect(await page.locator('.card').count()).toBe(2)
    })
  })
})
