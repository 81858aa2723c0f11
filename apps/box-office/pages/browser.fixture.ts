/** For tests of pages: a real Chromium, when there is one. `npm test` finds or installs it and says where it is. */

import { readFileSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { fileOf } from '../place.ts'

export const CHROMIUM = process.env.HOLDFAST_CHROMIUM

/** The name of a group of page tests: it says itself when they are not run. */
export function pageTests(name: string): string {
  return CHROMIUM === undefined ? `NOT RUN (HOLDFAST_CHROMIUM names no browser): ${name}` : name
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM as string,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** What the page complained about: a refused script, an exception, a request that failed. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // The browser reports an answer of 401 or 503, say, and a network that is away, as errors; to us they are answers.
    if (message.type() !== 'error' || /status of (401|402|409|410|503)|net::ERR_CONNECTION/.test(message.text())) return
    complaints.push(message.text())
  })
  return complaints
}

/** The first `count` seats that are free on the page, as it shows them now. */
export async function freeSeats(page: Page, count: number, from = 0): Promise<string[]> {
  const ids = await page.locator('.seat[data-state=f]').evaluateAll((nodes) => nodes.map((n) => n.dataset.seat ?? ''))
  return ids.slice(from, from + count)
}

export const seat = (page: Page, id: string) => page.locator(`[data-seat="${id}"]`)

export async function isLive(page: Page): Promise<void> {
  await page.locator('[data-live-state=on]').waitFor()
}

const inPage = readFileSync(fileOf('pages/in-page.js'), 'utf8').replaceAll('export function', 'function')

/** Calls a function of in-page.js in the page. */
export async function ask<T>(
  page: Page,
  call: 'focused()' | 'sidewaysScroll()' | 'reachableSeats()' | 'lowContrast()',
): Promise<T> {
  // A page that one has just come to may not have its style yet, and is white and black until then.
  await page.waitForLoadState()
  return page.evaluate(`(() => { ${inPage}; return ${call} })()`)
}

export const sidewaysScroll = (page: Page) => ask<number>(page, 'sidewaysScroll()')
