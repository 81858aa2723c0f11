import { expect, test } from 'vitest'
import { read, repositoryFiles } from './sources.fixture.ts'

const texts = repositoryFiles()
  .filter((file) => !/\.(png|jpe?g|gif|ico|woff2?|gz|tgz|pdf)$/.test(file))
  .map((file) => [file, read(file)] as const)

/** Every line in which `pattern` is found, as `file:line: text`. */
const lines = (pattern: RegExp): string[] =>
  texts.flatMap(([file, text]) =>
    pattern.test(text)
      ? text
          .split('\n')
          .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim().slice(0, 120)}`] : []))
      : [],
  )

// Spelt so that this file does not find itself.
const slashed = (...names: string[]) => new RegExp(`(^|[\\s"'\`(=:])/(${names.join('|')})/`)

test("names no path of anybody's machine", () => {
  expect(lines(slashed('work', 'root', 'Users', 'workspace'))).toEqual([])
  expect(lines(/(^|[\s"'`(=:])\/home\/(?!\$)/)).toEqual([])
})

test('names no package registry: whoever installs chooses it', () => {
  expect(lines(new RegExp(`${'regis'}try\\.[a-z]|(npm|pypi)-${'pro'}xy|${'arti'}factory|${'ver'}daccio`, 'i'))).toEqual(
    [],
  )
  expect(texts.filter(([file]) => file.endsWith('.npmrc')).map(([file]) => file)).toEqual([])
})

test('holds no private key and no token', () => {
  expect(
    lines(new RegExp(`-----BEGIN [A-Z ]*PRIV${'ATE'} KEY|\\bgh[ps]_[A-Za-z0-9]{30}|\\bnpm_[A-Za-z0-9]{30}`)),
  ).toEqual([])
})

test('ends every text with one newline', () => {
  const code = texts.filter(([file]) => /\.(ts|tsx|mjs|js|md|lua|json)$/.test(file) && !file.endsWith('.generated.ts'))
  expect(code.filter(([, text]) => text !== '' && !/[^\n]\n$/.test(text)).map(([file]) => file)).toEqual([])
})
