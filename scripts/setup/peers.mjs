import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isInstalled } from './dependencies.mjs'
import { ROOT } from './paths.mjs'
import { run } from './process.mjs'
import { SetupError, step } from './progress.mjs'

/** The packages of bench/, which nothing but `npm run bench -- … --peers` needs: installed on first use, from their own lock file. */
export async function ensurePeers() {
  const folder = join(ROOT, 'bench')
  const lock = (path) => {
    const file = join(folder, path)
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined
  }
  if (isInstalled(lock('package-lock.json'), lock('node_modules/.package-lock.json'))) return
  await step('installing the peers of the benchmark', async () => {
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
    const { code, output } = await run('npm', args, { quiet: true, cwd: folder })
    if (code !== 0) throw new SetupError(`${output}\nnpm ci in bench/ failed (exit code ${code}).`)
  })
}
