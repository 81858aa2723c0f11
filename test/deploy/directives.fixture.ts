import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Layout } from './layout.fixture.ts'

/** The directives of a configuration file, each as its name and its value. */
export function settingsOf(layout: Layout, file: string): readonly (readonly [name: string, value: string])[] {
  return readFileSync(join(layout.folder, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const)
}

const UNITS: Readonly<Record<string, number>> = { kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 }

/** A value as CONFIG GET shows it: bytes as a number, an empty text as nothing. */
export function asShown(written: string): string {
  const [, count, unit] = /^(\d+)([kmg]b)$/.exec(written) ?? []
  if (count !== undefined) return String(Number(count) * (UNITS[unit as string] as number))
  return written.replace(/^"(.*)"$/, '$1')
}
