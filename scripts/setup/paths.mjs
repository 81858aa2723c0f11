import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Everything that scripts write and that may be thrown away: stamps, the compiled app, test results. */
export const SCRATCH = join(ROOT, '.build')

/** A tool that node_modules brought. */
export const tool = (name) => join(ROOT, 'node_modules', '.bin', name)

/** A path in the scratch folder, which exists then. */
export function scratch(name) {
  mkdirSync(SCRATCH, { recursive: true })
  return join(SCRATCH, name)
}
