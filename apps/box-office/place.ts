/** Where the application's own files are: the same from the sources and from a build elsewhere in the checkout. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HOME = join('apps', 'box-office')
const MARK = join('data', 'venues.json')

function findHome(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, HOME, MARK))) return join(folder, HOME)
    if (dirname(folder) === folder) throw new Error(`No ${join(HOME, MARK)} above ${import.meta.url}.`)
  }
}

const home = findHome()

/** A file of the application, such as 'data/venues.json'. */
export function fileOf(path: string): string {
  return join(home, path)
}

/** What may be thrown away: the checkout's folder for that. */
export const SCRATCH = join(home, '..', '..', '.build')
