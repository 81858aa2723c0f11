// Makes docs/errors.md from the codes in src/base/errors.ts, so that the table cannot drift.
//
//   node scripts/build-errors.mjs           writes docs/errors.md
//   node scripts/build-errors.mjs --check   exits 1 when it is not fresh
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** `ERROR_CODES` as it is written: code and meaning, in its order. */
export function readCodes(source) {
  const table = /export const ERROR_CODES = \{([\s\S]*?)\n\} as const/.exec(source)?.[1] ?? ''
  const entries = [...table.matchAll(/^ {2}([A-Z_]+):\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"),$/gm)]
  return entries.map(([, code, single, double]) => ({ code, meaning: (single ?? double).replace(/\\(.)/g, '$1') }))
}

/** Which class carries which codes, and whether it says that trying again may help: from the constructors and throws. */
export function readClasses(sources) {
  const classes = new Map()
  const note = (code, name) => classes.set(code, new Set([...(classes.get(code) ?? []), name]))
  for (const source of sources)
    for (const [, name, body] of source.matchAll(/^export class (\w+Error) extends \w+ \{\n([\s\S]*?)^\}/gm)) {
      const own = /super\(\s*'([A-Z_]+)'/.exec(body)?.[1]
      if (own) note(own, name)
      const choice = /constructor\(\s*code: ((?:\s*\|?\s*'[A-Z_]+')+)/.exec(body)?.[1] ?? ''
      for (const [, code] of choice.matchAll(/'([A-Z_]+)'/g)) note(code, name)
    }
  return classes
}

// What the constructors decide, in words. Every other error is not worth trying again as it is.
const RETRYABLE = {
  TIMEOUT: 'yes',
  LOAD_TIMEOUT: 'yes',
  CONNECTION_LOST: 'yes',
  LOCK_TIMEOUT: 'yes',
  BREAKER_OPEN: 'yes, after `retryAfterMs`',
  SERVER_FULL: 'yes, once there is room',
  VALUE_CONFLICT: 'yes',
  JOB_TIMEOUT: 'yes',
  QUEUE_FULL: 'yes, once there is room',
  SERVER_ERROR: 'when the server said "not now" (`BUSY`, `LOADING`, …)',
}

export function renderTable(codes, classes) {
  const rows = codes.map(({ code, meaning }) => {
    const names = [...(classes.get(code) ?? ['HoldfastError'])].map((name) => `\`${name}\``).join(', ')
    return `| \`${code}\` | ${names} | ${meaning.replaceAll('|', '\\|')} | ${RETRYABLE[code] ?? 'no'} |`
  })
  return `<!-- Made by scripts/build-errors.mjs from src/base/errors.ts. Do not edit. -->

# Errors

An expected "no" is a value; an error is a broken promise. Every error that Holdfast throws by itself is a \`HoldfastError\`. Tell them
apart by \`code\`, which only a major version changes; the message may change in any. \`retryable\` says whether the same call may succeed
later without anybody changing it. What was wrong stands in named fields, and what lies below it in \`cause\`. A loader's or handler's own
error passes through as it is.

\`\`\`ts
import { HoldfastError, TimeoutError } from 'holdfast'

try {
  await products.set('42', product)
} catch (error) {
  if (error instanceof TimeoutError && error.sent) return checkWhetherItIsThere() // its effect may exist
  if (error instanceof HoldfastError && error.retryable) return tryAgainLater()
  throw error
}
\`\`\`

\`instanceof\` also knows errors of another installed copy of the package. No error carries a password.

| code | class | meaning | retryable |
|---|---|---|---|
${rows.join('\n')}
`
}

function main() {
  const folders = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const files = folders.filter((file) => file.endsWith('.ts') && !/\.(test|fixture|generated)\.ts$/.test(file)).sort()
  const sources = files.map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
  const codes = readCodes(readFileSync(join(ROOT, 'src/base/errors.ts'), 'utf8'))
  if (codes.length === 0) throw new Error('no ERROR_CODES in src/base/errors.ts')
  const text = renderTable(codes, readClasses(sources))
  const target = join(ROOT, 'docs/errors.md')
  if (existsSync(target) && readFileSync(target, 'utf8') === text) return
  if (process.argv.includes('--check')) {
    console.error('docs/errors.md is not fresh: run node scripts/build-errors.mjs')
    process.exit(1)
  }
  writeFileSync(target, text)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
