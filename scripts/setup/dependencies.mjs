import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './paths.mjs'
import { run } from './process.mjs'
import { SetupError, step } from './progress.mjs'

const OLDEST_NODE = [20, 19]

/** Make sure that node_modules holds exactly what package-lock.json says; `npm ci` when it does not. */
export async function ensureDependencies() {
  refuseOldNode()
  if (isInstalled(readLock(join(ROOT, 'package-lock.json')), readLock(join(ROOT, 'node_modules/.package-lock.json'))))
    return
  await step('installing dependencies', async () => {
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
    const { code, output } = await run('npm', args, { quiet: true })
    if (code !== 0) throw new SetupError(`${output}\nnpm ci failed (exit code ${code}).`)
  })
}

/**
 * True when every package of the lock file is there in its version. npm writes its own list of what it installed last,
 * so that an installation that was broken off has none. A package for another platform may be missing.
 */
export function isInstalled(wanted, present) {
  if (!wanted || !present) return false
  return Object.entries(wanted).every(([path, { version, optional, link }]) => {
    const here = present[path]
    return path === '' || link || (here ? here.version === version : optional === true)
  })
}

function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return
  throw new SetupError(`Node ${OLDEST_NODE.join('.')} or later is needed; this is ${process.versions.node}.`)
}
