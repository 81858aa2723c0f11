/** `npm run build`: the library to dist/, the box office to .build/box-office/. Always from anew. */
import { ensureBuild } from './setup/build.mjs'
import { ensureDependencies } from './setup/dependencies.mjs'
import { main } from './setup/progress.mjs'

await main(async () => {
  await ensureDependencies()
  await ensureBuild(['library', 'box-office'], { force: true })
})
