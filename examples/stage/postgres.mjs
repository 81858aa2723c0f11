/**
 * A real Postgres inside this process, empty and in memory. Making an empty database takes seconds and is the same each time:
 * what the first one was is kept under .build, and those after it begin with a copy.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { scratch } from '../../scripts/setup/paths.mjs'

const program = pathToFileURL(createRequire(import.meta.url).resolve('@electric-sql/pglite'))
const { version } = JSON.parse(await readFile(new URL('../package.json', program), 'utf8'))

export async function openPostgres() {
  const kept = scratch(`examples-postgres-${version}`)
  const empty = await readFile(kept).catch(() => undefined)
  if (empty) return PGlite.create({ loadDataDir: new Blob([empty]) })
  const db = await PGlite.create()
  // Under another name until it is whole: others may look meanwhile.
  const part = `${kept}.${process.pid}`
  await writeFile(part, Buffer.from(await (await db.dumpDataDir('none')).arrayBuffer()))
  await rename(part, kept)
  return db
}
