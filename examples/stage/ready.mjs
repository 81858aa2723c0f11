/** What a fresh clone lacks before an example can run: the packages, a built `holdfast`, and a server program. */
import { ensureBuild } from '../../scripts/setup/build.mjs'
import { ensureDependencies } from '../../scripts/setup/dependencies.mjs'
import { main } from '../../scripts/setup/progress.mjs'
import { ensureServer } from '../../scripts/setup/server.mjs'

export async function ready() {
  await main(async () => {
    if (!process.env.REDIS_URL) await ensureServer()
    await ensureDependencies()
    await ensureBuild(['library'])
  })
}
