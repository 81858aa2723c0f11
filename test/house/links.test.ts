import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT, read, repositoryFiles } from './sources.fixture.ts'

const LINK = /\]\(([^()\s]+)\)/g
const isOutside = (target: string) => /^[a-z]+:/.test(target)

/** Headings as GitHub makes anchors of them. */
function anchorsOf(text: string): Set<string> {
  const plain = text.replace(/^```.*?^```/gms, '')
  const headings = [...plain.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

it('finds every file and every heading that a page points to', () => {
  const pages = repositoryFiles().filter((file) => file.endsWith('.md'))
  expect(pages.length).toBeGreaterThan(10)
  const broken = pages.flatMap((page) => {
    const text = read(page).replace(/^```.*?^```/gms, '')
    const targets = [...text.matchAll(LINK)].map(([, target = '']) => target).filter((target) => !isOutside(target))
    return targets.flatMap((target) => {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(ROOT, file))) return [`${page}: ${target}`]
      if (anchor === undefined || statSync(join(ROOT, file)).isDirectory()) return []
      return anchorsOf(read(file)).has(anchor) ? [] : [`${page}: ${target}`]
    })
  })
  expect(broken).toEqual([])
})

it('finds every test that a page names', () => {
  const pages = repositoryFiles().filter((file) => file.endsWith('.md'))
  const named = pages.flatMap((page) =>
    // Such as: `test/fault/queue.test.ts`: add no job twice
    [...read(page).matchAll(/`((?:src|test)\/[\w/.-]+\.test\.ts)`: (.+?)(?=<br>| \||$)/gm)].map(
      ([, file = '', name = '']) => ({
        ...{ page, file, name },
      }),
    ),
  )
  expect(named.length).toBeGreaterThan(20)
  const quotes = ["'", '"', '`']
  const isThere = (file: string, name: string) =>
    existsSync(join(ROOT, file)) && quotes.some((quote) => read(file).includes(`(${quote}${name}${quote}`))
  expect(named.filter(({ file, name }) => !isThere(file, name))).toEqual([])
})
