// Makes the tables of docs/telemetry.md from the registries in src/telemetry, so that they cannot drift.
//
//   node scripts/build-telemetry.mjs           writes them
//   node scripts/build-telemetry.mjs --check   exits 1 when they are not fresh
import './typescript.mjs'
import { readFileSync, writeFileSync } from 'node:fs'

const TARGET = new URL('../docs/telemetry.md', import.meta.url)
const { OPERATIONS } = await import('../src/telemetry/operations.ts')
const { METRICS } = await import('../src/telemetry/metrics.ts')

const code = (names) => names.map((name) => `\`${name}\``).join(' ')

const tables = {
  operations: [
    '| operation | field | outcomes | what it is |',
    '|---|---|---|---|',
    ...Object.entries(OPERATIONS).map(
      ([name, { subject, outcomes, what }]) =>
        `| \`${name}\` | ${subject === '' ? '' : code([subject])} | ${code(outcomes)} | ${what} |`,
    ),
  ],
  metrics: [
    '| metric | type | labels | what it counts |',
    '|---|---|---|---|',
    ...Object.entries(METRICS).map(
      ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${code(labels)} | ${help} |`,
    ),
  ],
}

const before = readFileSync(TARGET, 'utf8')
let text = before
for (const [name, lines] of Object.entries(tables)) {
  const place = new RegExp(`(<!-- ${name}: [^\\n]*-->\\n)[\\s\\S]*?(<!-- end -->)`)
  if (!place.test(text)) throw new Error(`docs/telemetry.md has no place for the table of ${name}`)
  text = text.replace(place, (_, begin, end) => `${begin}${lines.join('\n')}\n${end}`)
}
if (text !== before) {
  if (process.argv.includes('--check')) {
    console.error('docs/telemetry.md is not fresh: run node scripts/build-telemetry.mjs')
    process.exit(1)
  }
  writeFileSync(TARGET, text)
}
