/**
 * `npm test`: all that a fresh machine lacks, then every check of the repository.
 * `npm test -- <arguments of vitest>`: the tests alone, with those arguments. `--package` adds the check of the package.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBrowser } from './setup/browser.mjs'
import { ensureBuild } from './setup/build.mjs'
import { ensureDependencies } from './setup/dependencies.mjs'
import { ROOT, scratch, tool } from './setup/paths.mjs'
import { run } from './setup/process.mjs'
import { main, say, step } from './setup/progress.mjs'
import { closingLine, countTests } from './setup/results.mjs'
import { ensureServer } from './setup/server.mjs'

const args = process.argv.slice(2).filter((arg) => arg !== '--package')
const isWhole = args.length === 0
const withPackage = process.argv.includes('--package') || (isWhole && Boolean(process.env.CI))

/** Names of the parts that failed, and what was not run with its reason. */
const failed = []
const notRun = []

await main(async () => {
  await ensureServer()
  await ensureDependencies()
  const browser = await ensureBrowser({ install: isWhole })
  if (browser.missing) notRun.push(`tests of pages: ${browser.missing}`)

  if (isWhole) {
    await lua()
    await part('format and lint', tool('biome'), ['check', '--error-on-warnings', '.'])
  }
  // Beside the build and the first tests, which wait for servers more than they work.
  const types = isWhole ? part('types', tool('tsc'), ['--noEmit']) : undefined
  await build()
  const packed = withPackage ? checkPackage(types) : undefined
  const counts = await tests(browser.path)
  await types
  await packed

  say('')
  for (const line of notRun) say(`NOT RUN  ${line}`)
  for (const name of failed) say(`FAILED   ${name}`)
  say(closingLine(counts, failed.length))
  process.exit(counts.failed + failed.length > 0 || counts.exitCode !== 0 ? 1 : 0)
})

async function lua() {
  const script = join(ROOT, 'scripts/build-lua.mjs')
  if (existsSync(script)) await part('lua bindings', process.execPath, [script, '--check'])
}

async function part(name, program, programArgs) {
  const outcome = await step(name, () => run(program, programArgs, { quiet: true }))
  if (outcome.code === 0) return
  process.stdout.write(outcome.output)
  failed.push(name)
}

/** One after the other: each of them keeps a core busy by itself. */
async function checkPackage(types) {
  await types
  await part('package', process.execPath, [join(ROOT, 'scripts/check-package.mjs')])
}

/** Tests run on the sources, and some start the compiled programs: those then say what is missing. */
async function build() {
  try {
    await ensureBuild(['library', 'box-office'])
  } catch (error) {
    say(error.message)
    failed.push('build')
  }
}

async function tests(browser) {
  // Two runs at a time must not read each other's results.
  const file = scratch(`test-results.${process.pid}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const env = browser ? { HOLDFAST_CHROMIUM: browser } : {}
  const { code } = await run(tool('vitest'), ['run', ...reporters, ...args], { env })
  const counts = existsSync(file)
    ? countTests(JSON.parse(readFileSync(file, 'utf8')))
    : { passed: 0, failed: 1, skipped: 0 }
  if (existsSync(file)) renameSync(file, scratch('test-results.json'))
  return { ...counts, exitCode: code }
}
