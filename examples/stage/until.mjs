/** For what tells nobody that it has happened: looks until `holds` answers true, and fails when that takes 20 s. */
import { setTimeout as pause } from 'node:timers/promises'

export async function until(what, holds) {
  for (const start = performance.now(); !(await holds()); await pause(5))
    if (performance.now() - start > 20_000) throw new Error(`waited in vain: ${what}`)
}
