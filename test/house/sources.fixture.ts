import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** Every file of the repository that exists: tracked, or new and not ignored, so that a fault is seen before it is committed. */
export function repositoryFiles(): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return [...new Set(listed.split('\0'))].filter((file) => file !== '' && existsSync(join(ROOT, file))).sort()
}

export const isTest = (file: string): boolean => /\.(test|fixture)\.tsx?$/.test(file)
export const isGenerated = (file: string): boolean => file.endsWith('.generated.ts')

/** The library's own source files, as `src/room/file.ts`, without tests. */
export const librarySources = (): readonly string[] =>
  repositoryFiles().filter((file) => /^src\/.*\.tsx?$/.test(file) && !isTest(file))

/** What a file imports, types included: a path from the root for its own files, else the package's name. */
export function importsOf(file: string): readonly string[] {
  return ts.preProcessFile(read(file), true, true).importedFiles.map(({ fileName }) => {
    if (!fileName.startsWith('.')) return fileName
    return relative(ROOT, join(ROOT, dirname(file), fileName))
  })
}
