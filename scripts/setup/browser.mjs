import { readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run } from './process.mjs'
import { findProgram, isProgram } from './programs.mjs'
import { SetupError, step } from './progress.mjs'
import { commandToType, installPackage, mayInstall } from './system-packages.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'microsoft-edge']

const APPLICATIONS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

const PACKAGES = { 'apt-get': ['chromium'], dnf: ['chromium'], apk: ['chromium'], brew: ['--cask chromium'] }

/**
 * A Chromium for the tests of pages.
 *
 * options.install  whether it may be installed when we are root already
 * returns          { path } or { missing: why, with the one command to type }
 */
export async function ensureBrowser({ install }) {
  const found = findBrowser()
  if (found) return (await answers(found)) ? { path: found } : { missing: `${found} does not start` }
  if (install && mayInstall()) {
    await step('installing Chromium for the tests of pages', () => installPackage(PACKAGES))
    const path = findBrowser()
    if (path && (await answers(path))) return { path }
  }
  return { missing: `there is no Chromium; install one with: ${commandToType(PACKAGES)}` }
}

/** The browser that HOLDFAST_CHROMIUM or CHROMIUM_PATH names, else one that is on the PATH or where Playwright puts its own. */
export function findBrowser() {
  const named = process.env.HOLDFAST_CHROMIUM || process.env.CHROMIUM_PATH
  if (named && !isProgram(named)) throw new SetupError(`HOLDFAST_CHROMIUM or CHROMIUM_PATH is no program: ${named}`)
  return named || findProgram(NAMES) || [...APPLICATIONS, ...playwrightBrowsers()].find(isProgram)
}

function playwrightBrowsers() {
  const folder = process.env.PLAYWRIGHT_BROWSERS_PATH || join(homedir(), '.cache', 'ms-playwright')
  try {
    const versions = readdirSync(folder).filter((name) => /^chromium-\d+$/.test(name))
    return versions
      .sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)))
      .flatMap((name) => [join(folder, name, 'chrome-linux/chrome'), join(folder, name, 'chrome-linux64/chrome')])
  } catch {
    return []
  }
}

/** Some systems' package is a stub that points to another package system. */
async function answers(path) {
  const { code } = await run(path, ['--version'], { quiet: true })
  return code === 0
}
