import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { load } from './typescript-hooks.mjs'

it('makes JavaScript of a file again when it changed, and the same when it did not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'typescript-'))
  const file = join(folder, 'page.tsx')
  const made = async (text: string): Promise<string> => {
    writeFileSync(file, text)
    return (await load(pathToFileURL(file).href, {}, () => ({ source: 'not ours' }))).source
  }
  try {
    const first = await made('export const page = (n: number) => <p>{n}</p>')
    expect(first).toMatch(/jsx.*hono\/jsx\/jsx-runtime[\s\S]*\(n\) =>[\s\S]*sourceMappingURL/)
    expect(await made('export const page = (n: string) => <b>{n}</b>')).toContain('"b"')
    expect(await made('export const page = (n: number) => <p>{n}</p>')).toBe(first)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
