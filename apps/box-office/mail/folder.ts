/** Letters as files: `<name>.txt` and `<name>.html`, each whole or not there. */

import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Letter } from './post.ts'

export interface Folder {
  write(letter: Letter): Promise<void>
  /** The text of each letter that is there, by its name. */
  read(): Promise<ReadonlyMap<string, string>>
  /** Only one that this run made for itself is removed. */
  remove(): Promise<void>
}

export function createFolder(kept: string | undefined): Folder {
  let made: Promise<string> | undefined

  /** Made for the first letter: most tests write none. */
  function place(): Promise<string> {
    made ??=
      kept === undefined
        ? mkdtemp(join(tmpdir(), 'box-office-letters-'))
        : mkdir(kept, { recursive: true }).then(() => kept)
    return made
  }

  return {
    async write({ name, text, html }) {
      const folder = await place()
      // Two workers may be at the same letter when one of them lost its lease: neither writes into the other's file.
      const part = join(folder, `.${name}.${randomBytes(4).toString('hex')}`)
      for (const [kind, words] of [
        ['html', html],
        ['txt', text],
      ] as const) {
        await writeFile(part, words)
        await rename(part, join(folder, `${name}.${kind}`))
      }
    },
    async read() {
      const folder = await place()
      const files = (await readdir(folder)).filter((file) => file.endsWith('.txt'))
      const texts = files.map(async (file) => [file.slice(0, -4), await readFile(join(folder, file), 'utf8')] as const)
      return new Map(await Promise.all(texts))
    },
    async remove() {
      if (kept === undefined && made !== undefined) await rm(await made, { recursive: true, force: true })
    },
  }
}
