/**
 * `npm run soak [-- --minutes N --cluster]`: steady load without a fault. Exits non-zero when an operation failed, an answer was wrong, a
 * sale is missing in the end, or the heap has grown.
 *
 * `npm run soak -- --keys N`: N keys through a cache's memory tier. Exits non-zero when the heap has grown.
 *
 * `npm run soak -- --hits N`: N hits of very many items through a top list, and N values of a metric. Exits non-zero when what Redis keeps has grown, or a
 * figure is off by more than it says.
 */
import { join } from 'node:path'
import { ensureDependencies } from './setup/dependencies.mjs'
import { ROOT } from './setup/paths.mjs'
import { runLast } from './setup/process.mjs'
import { main } from './setup/progress.mjs'
import { ensureServer } from './setup/server.mjs'

const programOf = (words) =>
  words.includes('--keys') ? 'memory-keys.ts' : words.includes('--hits') ? 'top-lists.ts' : 'soak.ts'

await main(async () => {
  await ensureServer()
  await ensureDependencies()
  const loader = join(ROOT, 'scripts/typescript.mjs')
  await runLast(process.execPath, [
    '--expose-gc',
    '--import',
    loader,
    join(ROOT, 'test/chaos', programOf(process.argv)),
    ...process.argv.slice(2),
  ])
})
