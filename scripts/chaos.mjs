/**
 * `npm run chaos [-- --rounds N --cluster --sentinel --locks --json]`: servers join, fail over, are killed and stand still under steady load,
 * for as many rounds as asked. Exits non-zero when an operation failed, an answer was wrong or a sale is missing in the end.
 *
 * `npm run chaos -- --queue [--standalone --sentinel --cluster --jobs N --workers N --seed N --json]`: a queue whose workers and servers are
 * killed, stand still, are full, replaced and moved. Exits non-zero when a job is lost or stuck, ends twice without a reason, or is ended by
 * one who had lost it.
 */
import { join } from 'node:path'
import { ensureDependencies } from './setup/dependencies.mjs'
import { ROOT } from './setup/paths.mjs'
import { runLast } from './setup/process.mjs'
import { main } from './setup/progress.mjs'
import { ensureServer } from './setup/server.mjs'

await main(async () => {
  await ensureServer()
  await ensureDependencies()
  const loader = join(ROOT, 'scripts/typescript.mjs')
  await runLast(process.execPath, ['--import', loader, join(ROOT, 'test/chaos/main.ts'), ...process.argv.slice(2)])
})
