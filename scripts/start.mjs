/**
 * `npm start [-- options]`: all that a fresh machine lacks, then the box office.
 *
 * With REDIS_URL the app uses that server; else it starts a private one, for which this finds or installs the program.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuild } from './setup/build.mjs'
import { ensureDependencies } from './setup/dependencies.mjs'
import { SCRATCH } from './setup/paths.mjs'
import { runLast } from './setup/process.mjs'
import { main, SetupError } from './setup/progress.mjs'
import { ensureServer } from './setup/server.mjs'

const APP = join(SCRATCH, 'box-office/main.js')

await main(async () => {
  if (!process.env.REDIS_URL) await ensureServer()
  await ensureDependencies()
  await ensureBuild(['library', 'box-office'])
  if (!existsSync(APP)) throw new SetupError('apps/box-office/main.ts does not exist.')
  await runLast(process.execPath, ['--enable-source-maps', APP, ...process.argv.slice(2)])
})
