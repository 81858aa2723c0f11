/** `npm run bench -- <name> [options]`: runs bench/<name>.ts on the built library, as a user has it. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuild } from './setup/build.mjs'
import { ensureDependencies } from './setup/dependencies.mjs'
import { ROOT, SCRATCH } from './setup/paths.mjs'
import { ensurePeers } from './setup/peers.mjs'
import { runLast } from './setup/process.mjs'
import { main, SetupError } from './setup/progress.mjs'
import { ensureServer } from './setup/server.mjs'

const [name = '', ...options] = process.argv.slice(2)

await main(async () => {
  const folder = join(ROOT, 'bench')
  const files = existsSync(folder) ? readdirSync(folder) : []
  const names = files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3))
  if (!names.includes(name)) throw new SetupError(`usage: npm run bench -- ${names.join('|') || '<name>'} [options]`)

  await ensureServer()
  await ensureDependencies()
  if (options.includes('--peers')) await ensurePeers()
  await ensureBuild(['library', 'bench'])
  await runLast(process.execPath, ['--enable-source-maps', join(SCRATCH, 'bench', `${name}.js`), ...options])
})
